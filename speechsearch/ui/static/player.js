// <ss-player> plays one sound; its length is known before anything is loaded.

class Player extends HTMLElement {
  connectedCallback() {
    [this.sound, this.button, this.line, this.time] = ["audio", "button", "input", ".ss-length"].map((one) => this.querySelector(one));
    this.button.onclick = () => (this.sound.paused ? this.play() : this.sound.pause());
    this.line.oninput = () => {
      this.sound.currentTime = Number(this.line.value);
      this.paint();
    };
    this.sound.onerror = () => (this.time.textContent = texts.player.error);
    for (const name of ["loadstart", "loadedmetadata", "play", "pause", "timeupdate", "seeking", "ended"]) {
      this.sound.addEventListener(name, () => this.paint());
    }
  }

  play() {
    this.sound.play().catch((error) => error.name !== "AbortError" && (this.time.textContent = texts.player.error));
  }

  paint() {
    const { sound, button, line, time } = this;
    const [now, length] = [sound.currentTime, Number.isFinite(sound.duration) ? sound.duration : Number(this.dataset.seconds)];
    [line.max, line.value] = [length, now];
    line.ariaValueText = fill(texts.player.atOf, { at: clock(now), length: clock(length) });
    time.textContent = now || !sound.paused ? `${clock(now)} / ${clock(length)}` : clock(length);
    this.classList.toggle("ss-playing", !sound.paused);
    button.ariaLabel = fill(sound.paused ? texts.player.play : texts.player.pause, { title: this.dataset.title });
  }
}
if (!customElements.get("ss-player")) customElements.define("ss-player", Player);

// One player at a time.
document.addEventListener(
  "play",
  (event) => {
    for (const player of document.querySelectorAll("audio")) {
      if (player !== event.target) player.pause();
    }
  },
  true,
);
