// <ss-collections> asks for its HTML whenever it comes into view, and sends what its forms hold to the REST routes.
class Collections extends HTMLElement {
  connectedCallback() {
    this.innerHTML = '<p class="ss-c-status" role="status"></p><div data-part="panel"></div>' +
      '<dialog class="ss-dialog" aria-labelledby="ss-c-dialog-title"></dialog>';
    this.status = this.querySelector(".ss-c-status");
    this.panel = this.querySelector("[data-part=panel]");
    this.dialog = this.querySelector("dialog");
    this.shown = {};
    this.addEventListener("click", (event) => this.clicked(event));
    this.addEventListener("submit", (event) => this.submitted(event));
    this.addEventListener("input", (event) => this.typed(event));
    this.watcher = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.show());
    this.watcher.observe(this);
  }

  disconnectedCallback() {
    this.watcher.disconnect();
  }

  async ask(path, parameters = {}) {
    const address = `${this.dataset.root}/page/collections${path}?${new URLSearchParams(parameters)}`;
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(await problemOf(answer));
    return answer.text();
  }

  // Show the panel with the collection, page and words that were shown last, save what is named here.
  async show(changes = {}) {
    const wanted = { ...this.shown, ...changes };
    this.asked = wanted;
    try {
      const html = await this.ask("", wanted);
      if (this.asked !== wanted) return;
      this.shown = wanted;
      const parsed = document.createElement("template");
      parsed.innerHTML = html;
      const focused = this.panel.contains(document.activeElement) ? document.activeElement : null;
      // Where only the words or the page are others, the map and the box that is typed into stay as they are.
      for (const kept of "words" in changes ? this.panel.querySelectorAll("ss-map, [data-find]") : []) {
        const other = [...parsed.content.querySelectorAll(kept.localName)].find((one) => isSame(one, kept));
        if (other) other.replaceWith(kept);
      }
      const held = parsed.content.firstElementChild.dataset.held;
      this.panel.replaceChildren(parsed.content);
      for (const line of document.querySelectorAll(".ss-held")) line.textContent = held;
      if (focused) (focused.isConnected ? focused : this.panel.querySelector(whereIs(focused)))?.focus();
    } catch (error) {
      this.say(error.message);
    }
  }

  say(words) {
    this.status.textContent = words;
  }

  async clicked(event) {
    const target = event.target.closest("[data-open], [data-dialog], [data-check], [data-cancel]");
    if (!target) return;
    const { open, dialog, check, name, id, words = "", page = "1" } = target.dataset;
    if ("cancel" in target.dataset) this.dialog.close();
    if (open !== undefined) {
      this.say("");
      await this.show({ name: open, words, page });
    }
    try {
      if (check) this.say(found(JSON.parse(await this.ask(`/${check}`))));
      if (dialog) {
        this.dialog.innerHTML = await this.ask(`/dialog/${dialog}`, id ? { id } : name !== undefined ? { name } : {});
        this.dialog.showModal();
        // A slip of the finger on Enter then deletes nothing.
        const first = this.dialog.querySelector("[data-method=DELETE]") ? "[data-cancel]" : "input, [type=submit]";
        this.dialog.querySelector(first).focus();
      }
    } catch (error) {
      this.say(error.message);
    }
  }

  typed(event) {
    const form = event.target.closest("form[data-find]");
    if (!form) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.find(form), 250);
  }

  find(form) {
    clearTimeout(this.waiting);
    return this.show({ name: form.dataset.find, words: new FormData(form).get("words"), page: "1" });
  }

  async submitted(event) {
    const form = event.target;
    event.preventDefault();
    if (form.matches("[data-find]")) return this.find(form);
    const { method, action, said } = form.dataset;
    const send = form.querySelector("[type=submit]");
    const fault = form.querySelector("[role=alert]");
    send.disabled = true;
    fault.hidden = true;
    try {
      const options = { method, headers: { "Content-Type": "application/json" } };
      if (method !== "DELETE") options.body = JSON.stringify(Object.fromEntries(new FormData(form)));
      const answer = await fetch(action, options);
      if (!answer.ok) throw new Error(await problemOf(answer));
      const body = answer.status === 204 ? {} : await answer.json();
      this.dialog.close();
      await this.show(action.includes("/collections") && body.name ? { name: body.name, words: "", page: "1" } : {});
      this.say(method === "DELETE" ? `${removed(body)} ${found(body.leftovers)}` : said);
    } catch (error) {
      fault.textContent = error.message;
      fault.hidden = false;
      if (!this.dialog.open) this.say(error.message);
    } finally {
      send.disabled = false;
    }
  }
}

async function problemOf(answer) {
  const body = await answer.json().catch(() => ({}));
  return [body.message ?? fill(texts.collections.error, { status: answer.status }), body.hint].filter(Boolean).join(" ");
}

function removed({ recordings = 0, passages = 0, media_bytes: bytes = 0 }) {
  const count = (number, one, several) => fill(number === 1 ? one : several, { number: number.toLocaleString("en") });
  if (!recordings) return texts.collections.emptyDeleted;
  const room = bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const { recording, passage } = texts.collections;
  return fill(texts.collections.deleted, {
    recordings: count(recordings, recording, texts.collections.recordings),
    passages: count(passages, passage, texts.collections.passages),
    size: room,
  });
}

function isSame(one, other) {
  return one.dataset.name === other.dataset.name && one.dataset.find === other.dataset.find;
}

// What a check has found of what was deleted.
function found(leftovers) {
  if (!leftovers.length) return texts.collections.agree;
  const more = leftovers.length > 5 ? [fill(texts.collections.more, { number: leftovers.length - 5 })] : [];
  return fill(texts.collections.differ, { what: [...leftovers.slice(0, 5), ...more].join(" ") });
}

// A selector that finds the control again after the panel has been replaced.
function whereIs(control) {
  for (const key of ["open", "dialog", "check"]) {
    if (control.dataset[key] === undefined) continue;
    const id = control.dataset.id === undefined ? "" : `[data-id="${CSS.escape(control.dataset.id)}"]`;
    return `[data-${key}="${CSS.escape(control.dataset[key])}"]${id}`;
  }
  return "[data-open][aria-pressed=true]";
}

if (!customElements.get("ss-collections")) customElements.define("ss-collections", Collections);
