// <ss-recording> shows the recording that the address names, or the list of them. Its parts come as HTML from the page's
// routes; the waveform is drawn from numbers.
const STEP_S = 5;
const asked = () => new URL(window.location.href).searchParams;
const isHere = () => asked().has("recording");
const toTab = (name) => {
  // On a narrow screen some are in a menu, where they are no tabs.
  const tabs = [...document.querySelectorAll("#tabs [role=tab], #tabs .overflow-dropdown button")];
  tabs.find((tab) => tab.textContent.trim() === name)?.click();
};
// The address as it is, with some of its parameters changed or, if empty, taken out.
const changed = (parameters) => {
  const address = new URL(window.location.href);
  for (const [name, value] of Object.entries(parameters)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  return address;
};
const keep = (parameters) => window.history.replaceState(window.history.state, "", changed(parameters));

class Recording extends HTMLElement {
  end = Infinity;

  connectedCallback() {
    this.chosen = this.querySelector(".ss-rec-chosen");
    this.list = this.querySelector("#ss-rec-list");
    const events = {
      click: this.clicked, submit: this.submitted, input: this.typed, change: this.sped, keydown: this.pressed,
      pointerdown: this.grabbed, pointermove: this.dragged, pointerup: this.dropped, pointercancel: this.dropped,
    };
    for (const [name, handle] of Object.entries(events)) this.addEventListener(name, handle);
    // What happens to players and folds does not bubble.
    for (const name of ["play", "pause", "seeking", "timeupdate", "error"]) {
      this.addEventListener(name, (event) => event.target === this.player && this.moved(name), true);
    }
    this.addEventListener("toggle", this.unfolded, true);
    this.watcher = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.came());
    this.watcher.observe(this);
    if (isHere()) this.follow();
  }

  disconnectedCallback() {
    this.watcher.disconnect();
  }

  get article() { return this.querySelector("article"); }
  get player() { return this.querySelector("audio"); }
  get line() { return this.querySelector(".ss-rec-line"); }
  get length() { return Number(this.article.dataset.duration); }

  // The HTML of a part; what goes wrong is said in its place.
  async html(path, parameters = {}) {
    const said = (words) => {
      const notice = document.createElement("div");
      notice.className = "ss-notice ss-problem";
      notice.setAttribute("role", "alert");
      notice.textContent = words;
      return notice.outerHTML;
    };
    try {
      const answer = await fetch(`${this.dataset.root}/page/recordings${path}?${new URLSearchParams(parameters)}`);
      if (answer.headers.get("content-type")?.startsWith("text/html")) return answer.text();
      return said((await answer.json()).message ?? fill(texts.recording.error, { status: answer.status }));
    } catch {
      return said(texts.recording.silent);
    }
  }

  came() {
    if (!this.article && !isHere()) this.showList();
  }

  // What is looked for: the words, and what the filters say.
  get wanted() { return Object.fromEntries(new FormData(this.querySelector(".ss-rec-wanted"))); }

  // Show what the address names.
  async follow() {
    const names = ["recording", "q", "engine", "t", "end"];
    const [id, question, engine, at, end] = names.map((name) => asked().get(name) ?? "");
    const known = this.article;
    if (!id) {
      if (asked().has("speaker")) this.named = { speaker: asked().get("speaker") };
      return this.showList();
    }
    const form = known?.querySelector("form");
    const isSame = known?.dataset.recording === id && form.q.value === question && (!engine || form.engine.value === engine);
    this.classList.add("ss-rec-open");
    if (!isSame) {
      const turn = (this.turn = {});
      const html = await this.html(`/${encodeURIComponent(id)}`, { q: question, engine });
      if (this.turn !== turn) return;
      this.player?.pause();
      this.chosen.innerHTML = html;
      if (!this.article) return;
      this.mark();
      this.draw();
    }
    this.seek(Number(at) || 0, false);
    if (Number(end) > Number(at)) this.end = Number(end);
    this.article.querySelector("h2").focus({ preventScroll: true });
    this.scrollIntoView({ block: "nearest" });
  }

  async showList(isTyping = false) {
    this.turn = {};
    this.player?.pause();
    this.chosen.replaceChildren();
    this.classList.remove("ss-rec-open");
    const turn = (this.listing = {});
    // A speaker whom the address names counts until the filters show the name.
    const wanted = { ...this.wanted, ...this.named };
    const html = await this.html("", wanted);
    if (this.listing !== turn) return;
    this.list.innerHTML = html;
    const filters = this.querySelector(".ss-rec-filters");
    if (isTyping || (filters.contains(document.activeElement) && !this.named)) return;
    filters.innerHTML = await this.html("/filters", wanted);
    if (this.listing === turn) this.named = null;
  }

  // One bar every four pixels, from the peaks of the whole recording.
  async draw() {
    const [line, article] = [this.line, this.article];
    const points = Math.min(600, Math.max(40, Math.round(line.clientWidth / 4)));
    const answer = await fetch(`${article.dataset.peaks}?points=${points}`);
    if (!answer.ok) return this.note(texts.recording.noWave);
    const { peaks } = await answer.json();
    const loudest = Math.max(...peaks, 1);
    const bars = peaks.map((peak, at) => [at, Math.max(0.03, peak / loudest)]);
    const path = bars.map(([at, half]) => `M${at + 0.2} ${(1 - half).toFixed(3)}h.6v${(2 * half).toFixed(3)}h-.6z`).join("");
    for (const wave of article.querySelectorAll(".ss-rec-wave")) {
      wave.setAttribute("viewBox", `0 0 ${points} 2`);
      wave.firstElementChild.setAttribute("d", path);
    }
  }

  get answers() { return [...this.querySelectorAll(".ss-rec-answer")]; }

  // The answers on the time line, the best above all others.
  mark() {
    const marks = this.answers.map((answer) => {
      const { rank, start, end, said } = answer.dataset;
      const mark = document.createElement("div");
      mark.className = answer.classList.contains("ss-weak") ? "ss-weak" : "";
      mark.style.insetInlineStart = `${(100 * start) / this.length}%`;
      mark.style.width = `${(100 * (end - start)) / this.length}%`;
      mark.style.zIndex = 100 - rank;
      mark.dataset.start = start;
      mark.title = fill(texts.recording.mark, { rank, span: `${clock(start)}–${clock(end)}`, said });
      mark.append(Object.assign(document.createElement("b"), { textContent: rank }));
      return mark;
    });
    this.querySelector(".ss-rec-marks").replaceChildren(...marks);
    this.querySelector(".ss-rec-jumps").hidden = !marks.length;
    this.painted = "";
    this.paint();
  }

  seek(seconds, isKept = true) {
    this.player.currentTime = Math.min(Math.max(0, seconds), this.length);
    this.end = Infinity;
    this.paint();
    if (isKept) keep({ t: this.player.currentTime.toFixed(2), end: "" });
  }

  // The link was to a part of the recording: stop where it ends, once.
  stopAtEnd() {
    if (!this.player || this.player.paused || this.player.currentTime < this.end) return;
    this.end = Infinity;
    keep({ end: "" });
    this.player.pause();
  }

  play() {
    this.player.play().catch((error) => error.name !== "AbortError" && this.note(texts.recording.noPlay));
  }

  note(words) {
    const note = this.querySelector(".ss-rec-note");
    if (note) note.textContent = words;
  }

  moved(name) {
    if (name === "error") this.note(texts.recording.noSound);
    if (name === "play") this.run();
    this.stopAtEnd();
    if (name === "pause" && isHere()) keep({ t: this.player.currentTime.toFixed(2) });
    this.paint();
  }

  run() {
    this.stopAtEnd();
    this.paint();
    if (this.player && !this.player.paused) requestAnimationFrame(() => this.run());
  }

  paint() {
    const { player, line, length } = this;
    if (!player) return;
    const now = Math.min(player.currentTime, length);
    this.article.style.setProperty("--at", `${(100 * now) / length}%`);
    const button = this.querySelector(".ss-rec-play");
    const { play, pause } = texts.recording;
    if (button.classList.toggle("ss-playing", !player.paused) === (button.ariaLabel === play)) {
      button.ariaLabel = player.paused ? play : pause;
    }
    const second = String(Math.floor(now));
    if (this.painted === second) return;
    this.painted = line.ariaValueNow = second;
    line.ariaValueText = fill(texts.recording.atOf, { at: clock(now), length: clock(length) });
    this.querySelector(".ss-rec-time").textContent = `${clock(now)} / ${clock(length)}`;
    for (const one of this.querySelectorAll("li[data-start]")) {
      one.classList.toggle("ss-rec-current", now >= Number(one.dataset.start) - 0.05 && now < Number(one.dataset.end));
    }
  }

  toggle() {
    if (this.player.paused) this.play();
    else this.player.pause();
  }

  jump(direction) {
    const shown = this.answers.filter((answer) => !answer.closest("details:not([open])"));
    const starts = (shown.length ? shown : this.answers).map((answer) => Number(answer.dataset.start)).sort((a, b) => a - b);
    const now = this.player.currentTime;
    // Just after its start an answer counts as reached, so that "before" goes on to the one before.
    const start = direction > 0 ? starts.find((one) => one > now + 0.2) : starts.filter((one) => one < now - 1.5).pop();
    if (start === undefined) return this.note(direction > 0 ? texts.recording.noNext : texts.recording.noPrevious);
    this.note("");
    this.seek(start);
  }

  order(name) {
    for (const button of this.querySelectorAll("[data-order]")) button.ariaPressed = String(button.dataset.order === name);
    for (const list of this.querySelectorAll(".ss-rec-answers")) {
      list.append(...[...list.children].sort((a, b) => a.dataset[name] - b.dataset[name]));
    }
  }

  async copy() {
    keep({ t: this.player.currentTime.toFixed(2) });
    // Without https, browsers keep the clipboard from pages.
    if (!navigator.clipboard) return this.note(texts.recording.noClipboard);
    await navigator.clipboard.writeText(window.location.href);
    this.note(fill(texts.recording.copied, { at: clock(this.player.currentTime) }));
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button || !this.player) return;
    const { skip, jump, start, order } = button.dataset;
    if (button.matches(".ss-rec-play")) this.toggle();
    if (button.matches(".ss-rec-copy")) this.copy().catch(() => this.note(texts.recording.notCopied));
    if (skip) this.seek(this.player.currentTime + Number(skip));
    if (jump) this.jump(Number(jump));
    if (order) this.order(order);
    if (start) {
      this.seek(Number(start));
      this.play();
    }
  }

  async submitted(event) {
    event.preventDefault();
    if (event.target.matches(".ss-rec-wanted")) return this.showList();
    const [q, engine] = [event.target.q.value.trim(), event.target.engine.value];
    keep({ q, engine });
    const turn = (this.turn = {});
    const html = await this.html(`/${this.article.dataset.recording}/answers`, { q, engine });
    if (this.turn !== turn) return;
    this.querySelector(".ss-rec-found").innerHTML = html;
    this.mark();
  }

  typed(event) {
    if (!event.target.matches(".ss-rec-words")) return;
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.showList(true), 150);
  }

  sped(event) {
    if (event.target.closest(".ss-rec-filters")) this.showList();
    if (event.target.matches(".ss-rec-speed")) this.player.playbackRate = this.player.defaultPlaybackRate = event.target.value;
    if (event.target.name === "engine" && event.target.form.q.value.trim()) event.target.form.requestSubmit();
  }

  async unfolded(event) {
    const { part } = event.target.dataset;
    const place = part && event.target.open && event.target.querySelector(":scope > div:empty");
    if (!place) return;
    place.innerHTML = await this.html(`/${this.article.dataset.recording}/${part}`);
    this.painted = "";
    this.paint();
  }

  // The passages say who speaks: after a change of names they are asked for again.
  async renew() {
    const place = this.querySelector("[data-part=passages] > div");
    if (place.closest("details").open) place.innerHTML = await this.html(`/${this.article.dataset.recording}/passages`);
    else place.replaceChildren();
    this.painted = "";
    this.paint();
  }

  pressed(event) {
    if (!this.player || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = this.player.currentTime;
    const goals = {
      ArrowLeft: now - STEP_S, ArrowDown: now - STEP_S, ArrowRight: now + STEP_S, ArrowUp: now + STEP_S,
      PageDown: now - this.length / 10, PageUp: now + this.length / 10, Home: 0, End: this.length,
    };
    if (event.target === this.line && event.key in goals) {
      event.preventDefault();
      this.seek(goals[event.key]);
    } else if (event.key === " " && !event.target.closest("button, input, select, summary, a")) {
      event.preventDefault();
      event.stopPropagation();
      this.toggle();
    }
  }

  // A mark goes to its start, any other place to its second.
  grabbed(event) {
    if (event.button !== 0 || !this.line?.contains(event.target)) return;
    const mark = event.target.closest("[data-start]");
    this.isDragging = true;
    this.line.setPointerCapture(event.pointerId);
    this.seek(mark ? Number(mark.dataset.start) : this.secondAt(event), false);
  }

  dragged(event) {
    if (this.isDragging) this.seek(this.secondAt(event), false);
  }

  dropped() {
    if (this.isDragging) keep({ t: this.player.currentTime.toFixed(2) });
    this.isDragging = false;
  }

  secondAt(event) {
    const { left, width } = this.line.getBoundingClientRect();
    return (this.length * (event.clientX - left)) / width;
  }
}
if (!customElements.get("ss-recording")) customElements.define("ss-recording", Recording);

const openNamed = () => {
  toTab(texts.recording.recordingsTab);
  document.querySelector("ss-recording")?.follow();
};
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.ss-open[data-recording]");
  if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  window.history.pushState(window.history.state, "", link.href);
  openNamed();
});
window.addEventListener("popstate", () => (isHere() ? openNamed() : toTab(texts.recording.searchTab)));
if (isHere()) toTab(texts.recording.recordingsTab);
