// Who speaks: <ss-voices>, the lanes of a recording, and <ss-people>, the fold with all speakers. What changes a speaker
// goes to the REST routes. Every change but a deletion can be taken back at once, by its opposite.

const JSON_TYPE = { "Content-Type": "application/json" };
const request = async (address, method = "GET", body = undefined) => {
  const options = body === undefined ? { method } : { method, headers: JSON_TYPE, body: JSON.stringify(body) };
  const answer = await fetch(address, options);
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const words = problem.message ?? fill(texts.speakers.error, { status: answer.status });
  throw Object.assign(new Error([words, problem.hint].filter(Boolean).join(" ")), { code: problem.code });
};

// The changes: each returns what to say, and how to take it back. `of` is the data of the speaker that is shown.
const called = (rest, id, name) => rest(`/speakers/${id}`, "PATCH", { name });
const given = async (rest, { recording, voice }, to) => {
  const address = `/recordings/${recording}/speakers/${voice}`;
  return (await rest(address, "PUT", { speaker_id: to || null })).json();
};
const changes = {
  async name(rest, of, { name }) {
    await called(rest, of.speaker, name);
    return { said: fill(texts.speakers.named, { label: of.label, name }), back: () => called(rest, of.speaker, of.name) };
  },
  async unname(rest, of) {
    await called(rest, of.speaker, "");
    return { said: fill(texts.speakers.unnamed, of), back: () => called(rest, of.speaker, of.name) };
  },
  async merge(rest, of, { into }) {
    const [mine, theirs] = await Promise.all([of.speaker, into].map(async (id) => (await rest(`/speakers/${id}`)).json()));
    const one = await (await rest(`/speakers/${of.speaker}/merge`, "POST", { into })).json();
    const back = async () => {
      let parted = {};
      for (const { recording_id: recording, number: voice } of mine.heard_in) {
        parted = await given(rest, { recording, voice }, parted.speaker_id);
      }
      if (mine.name && !theirs.name) await called(rest, into, "");
      if (mine.name) await called(rest, parted.speaker_id, mine.name);
    };
    return { said: fill(texts.speakers.merged, { label: of.label, name: one.label }), back };
  },
  async assign(rest, of, { speaker_id: to, ...voice }) {
    const one = await given(rest, voice, to);
    const back = async () => {
      // The former is gone where this was the only voice.
      const former = await given(rest, voice, of.speaker).catch(() => given(rest, voice));
      if (of.name && !former.name) await called(rest, former.speaker_id, of.name);
    };
    return { said: fill(texts.speakers.assigned, { label: of.label, name: one.label }), back };
  },
  async forget(rest, of) {
    await rest(`/speakers/${of.speaker}`, "DELETE");
    return { said: fill(texts.speakers.forgotten, of) };
  },
};

class Speakers extends HTMLElement {
  listen(handles) {
    for (const [name, handle] of Object.entries(handles)) {
      this.addEventListener(name, (event) => handle.call(this, event)?.catch((error) => this.say(error.message)));
    }
  }

  rest(path, method, body) {
    return request(`${this.root}/api/v1${path}`, method, body);
  }

  // What happened, with a button that takes it back, or one that goes on.
  say(words, label = "", go = null) {
    this.status.textContent = words;
    if (!go) return;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "ss-small", textContent: label });
    button.onclick = () => {
      button.disabled = true;
      go().catch((error) => this.say(error.message));
    };
    this.status.append(button);
  }

  async change(what, of, values) {
    try {
      const { said, back } = await changes[what](this.rest.bind(this), of, values);
      await this.renew();
      this.say(said, texts.speakers.undo, back && (async () => {
        await back();
        await this.renew();
        this.say(texts.speakers.undone);
      }));
    } catch (error) {
      // Who has the name already may be the same person: then both become one.
      const namesake = error.code === "duplicate" && [...this.querySelectorAll("option[data-name]")].find(
        (one) => one.dataset.name.toLowerCase() === values.name.trim().toLowerCase());
      if (!namesake) throw error;
      this.say(fill(texts.speakers.namesake, { name: namesake.dataset.name }), texts.speakers.same, () => this.change("merge", of, { into: namesake.value }));
    }
  }
}

class Voices extends Speakers {
  connectedCallback() {
    this.listen({ click: this.clicked, submit: this.submitted });
  }

  get recording() { return this.closest("ss-recording"); }
  get root() { return this.recording.dataset.root; }
  get status() { return this.querySelector(".ss-v-status"); }

  // The lanes as they are now; the lists of passages and turns say the new names, too.
  async renew() {
    const { recording } = this;
    const voice = document.activeElement?.closest("[data-voice]")?.dataset.voice;
    const parsed = document.createElement("template");
    parsed.innerHTML = await recording.html(`/${recording.article.dataset.recording}/voices`);
    this.replaceChildren(...(parsed.content.querySelector("ss-voices") ?? parsed.content).childNodes);
    this.querySelector("details")?.setAttribute("open", "");
    this.querySelector(`[data-voice="${voice}"] [data-edit]`)?.focus();
    recording.renew();
  }

  async clicked(event) {
    const lane = event.target.closest("[data-voice]");
    if (!lane) return;
    const track = event.target.closest(".ss-v-track");
    const { edit, turn } = event.target.closest("button")?.dataset ?? {};
    if (edit !== undefined) this.edit(lane, event.target.closest("button"));
    if (turn) this.step(lane, Number(turn));
    if (track) {
      const { left, width } = track.getBoundingClientRect();
      const at = (this.recording.length * (event.clientX - left)) / width;
      // Where the voice is silent, from its next turn on.
      const [start] = this.turns(lane).find(([, end]) => end > at) ?? this.turns(lane).at(-1) ?? [at];
      this.play(Math.max(start, at));
    }
  }

  turns(lane) {
    const times = lane.querySelector(".ss-v-track").dataset.turns.split(" ").map(Number);
    return times.flatMap((start, place) => (place % 2 ? [] : [[start, times[place + 1]]]));
  }

  step(lane, direction) {
    const now = this.recording.player.currentTime;
    const starts = this.turns(lane).map(([start]) => start);
    const start = direction > 0 ? starts.find((one) => one > now + 0.2) : starts.filter((one) => one < now - 1.5).pop();
    if (start === undefined) return this.say(fill(direction > 0 ? texts.speakers.noNext : texts.speakers.noPrevious, lane.dataset));
    this.say("");
    this.play(start);
  }

  play(second) {
    this.recording.seek(second);
    this.recording.play();
  }

  edit(lane, button) {
    const form = lane.querySelector(".ss-v-edit");
    const others = form.querySelector("select");
    if (others.length === 1) {
      const known = this.querySelector("template").content.cloneNode(true).children;
      others.append(...[...known].filter((one) => one.value !== lane.dataset.speaker));
    }
    form.hidden = !form.hidden;
    button.ariaExpanded = String(!form.hidden);
    if (!form.hidden) form.querySelector("input").focus();
  }

  async submitted(event) {
    event.preventDefault();
    event.stopPropagation();
    const { voice, ...of } = event.target.closest("[data-voice]").dataset;
    const { recording } = this.recording.article.dataset;
    await this.change(event.target.dataset.do, of, { recording, voice, ...Object.fromEntries(new FormData(event.target)) });
  }
}

class People extends Speakers {
  connectedCallback() {
    this.innerHTML = '<details class="ss-n-fold"><summary>' + texts.speakers.title + '</summary><div><p class="ss-v-status" role="status"></p>' +
      '<div data-part="panel"></div></div></details>';
    this.panel = this.querySelector("[data-part=panel]");
    this.querySelector("details").addEventListener("toggle", (event) => event.target.open && this.renew().catch((error) => this.say(error.message)));
    this.listen({ click: this.clicked, submit: this.submitted, input: this.typed });
  }

  get root() { return this.dataset.root; }
  get status() { return this.querySelector(".ss-v-status"); }

  async html(path, parameters = {}) {
    return (await request(`${this.root}/page/speakers${path}?${new URLSearchParams(parameters)}`)).text();
  }

  // The list as it is now; who was open is opened again.
  async renew() {
    const open = this.querySelector("[data-more][aria-expanded=true]")?.closest("[data-speaker]").dataset.speaker;
    const words = this.querySelector("[name=words]")?.value ?? "";
    this.panel.innerHTML = await this.html("", { words });
    const button = open && this.querySelector(`[data-speaker="${CSS.escape(open)}"] [data-more]`);
    if (!button) return;
    await this.unfold(button);
    button.focus();
  }

  async unfold(button) {
    const { speaker } = button.closest("[data-speaker]").dataset;
    const place = button.closest("[data-speaker]").querySelector("[data-part=person]");
    const isOpen = button.ariaExpanded === "true";
    for (const one of this.querySelectorAll("[data-part=person]")) one.replaceChildren();
    for (const one of this.querySelectorAll("[data-more]")) one.ariaExpanded = "false";
    if (isOpen) return;
    place.innerHTML = await this.html(`/${speaker}`);
    button.ariaExpanded = "true";
  }

  async clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const of = button.closest("[data-speaker]")?.dataset;
    const sure = this.querySelector("[data-sure]");
    if ("more" in button.dataset) await this.unfold(button);
    if ("ask" in button.dataset || "cancel" in button.dataset) {
      sure.hidden = "cancel" in button.dataset;
      this.querySelector("[data-ask]").ariaExpanded = String(!sure.hidden);
      this.querySelector(sure.hidden ? "[data-ask]" : "[data-cancel]").focus();
    }
    if (button.dataset.do) await this.change(button.dataset.do, of, { ...button.closest("[data-recording]")?.dataset });
  }

  async submitted(event) {
    event.preventDefault();
    if (!event.target.dataset.do) return this.renew();
    await this.change(event.target.dataset.do, event.target.closest("[data-speaker]").dataset, Object.fromEntries(new FormData(event.target)));
  }

  async typed(event) {
    if (event.target.name !== "words") return;
    clearTimeout(this.typing);
    this.typing = setTimeout(async () => {
      await this.renew().catch((error) => this.say(error.message));
      const box = this.querySelector("[name=words]");
      box?.focus();
      box?.setSelectionRange(box.value.length, box.value.length);
    }, 250);
  }
}

if (!customElements.get("ss-voices")) customElements.define("ss-voices", Voices);
if (!customElements.get("ss-people")) customElements.define("ss-people", People);
