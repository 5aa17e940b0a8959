// <ss-names>: the fold with the list of names. What changes it goes to the REST routes.
class Names extends HTMLElement {
  connectedCallback() {
    this.innerHTML = '<details class="ss-n-fold"><summary>' + texts.names.title + '</summary><div><p class="ss-n-status" role="status"></p>' +
      '<div data-part="panel"></div></div></details>';
    this.status = this.querySelector(".ss-n-status");
    this.panel = this.querySelector("[data-part=panel]");
    this.querySelector("details").addEventListener("toggle", (event) => event.target.open && this.show());
    for (const [name, handle] of Object.entries({ click: this.clicked, submit: this.submitted, change: this.chosen })) {
      this.addEventListener(name, (event) => handle.call(this, event).catch((error) => this.say(error.message)));
    }
  }

  say(words) {
    this.status.textContent = words;
  }

  async html(path, parameters = {}) {
    const answer = await ask(`${this.dataset.root}/page/names${path}?${new URLSearchParams(parameters)}`);
    return answer.text();
  }

  api(path, parameters = {}, options = {}) {
    return ask(`${this.dataset.root}/api/v1/names${path}?${new URLSearchParams(parameters)}`, options);
  }

  async show(words = "") {
    try {
      this.panel.innerHTML = await this.html("");
      this.say(words);
      offers.names = null;
    } catch (error) {
      this.say(error.message);
    }
  }

  async clicked(event) {
    const button = event.target.closest("button[data-heard], button[data-remove], button[data-said], button[data-undo]");
    if (!button) return;
    const { name } = button.closest("[data-name]").dataset;
    if ("heard" in button.dataset) return this.unfold(button, name);
    if ("remove" in button.dataset) {
      // A slip of the finger removes nothing: the button asks first.
      if (!("sure" in button.dataset)) {
        button.dataset.sure = "";
        button.textContent = texts.names.sure;
        button.addEventListener("blur", () => (delete button.dataset.sure, (button.textContent = texts.names.remove)), { once: true });
        return this.say(fill(texts.names.again, { name }));
      }
      await this.api("", { name }, { method: "DELETE" });
      await this.show(fill(texts.names.removed, { name }));
      return this.panel.querySelector("button, input")?.focus();
    }
    await this.judge(button, name);
  }

  async unfold(button, name) {
    const place = button.closest("[data-name]").querySelector("[data-part=heard]");
    const isOpen = button.ariaExpanded === "true";
    button.ariaExpanded = String(!isOpen);
    if (isOpen) return place.replaceChildren();
    this.say(fill(texts.names.listening, { name }));
    place.innerHTML = await this.html("/heard", { name });
    const count = place.querySelectorAll("li").length;
    this.say(fill(count === 1 ? texts.names.heardOnce : texts.names.heard, { name, count }));
  }

  async judge(button, name) {
    const passage = button.closest("[data-passage]");
    const isPressed = button.ariaPressed === "true";
    const said = "undo" in button.dataset || isPressed ? null : button.dataset.said === "true";
    const body = JSON.stringify({ name, passage_id: passage.dataset.passage, is_said: said });
    await this.api("/heard", {}, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (said !== false && !passage.dataset.rejected) {
      button.ariaPressed = String(said === true);
      return this.say(said ? texts.names.confirmed : texts.names.undone);
    }
    passage.dataset.rejected = said === false ? "yes" : "";
    for (const part of passage.querySelectorAll("audio, .ss-n-actions")) part.hidden = said === false;
    passage.querySelector("[data-undo]")?.remove();
    if (said === false) {
      const undo = Object.assign(document.createElement("button"), { type: "button", className: "ss-button", textContent: texts.names.undo });
      undo.dataset.undo = "";
      passage.append(undo);
      undo.focus();
    }
    this.say(said === false ? texts.names.rejected : texts.names.undone);
  }

  async submitted(event) {
    event.preventDefault();
    const given = new FormData(event.target);
    const sounds = given.get("sounds_like").split(/[;|]/).map((one) => one.trim()).filter(Boolean);
    const body = JSON.stringify({ name: given.get("name"), sounds_like: sounds });
    await this.api("", {}, { method: "PUT", headers: { "Content-Type": "application/json" }, body });
    await this.show(fill(texts.names.added, { name: given.get("name").trim() }));
    this.panel.querySelector("input").focus();
  }

  async chosen(event) {
    const [file] = event.target.files ?? [];
    if (!file) return;
    if ("table" in event.target.dataset) {
      const found = await (await this.api("/table", {}, { method: "POST", body: file })).json();
      return this.show([fill(texts.names.imported, found), ...found.refused.slice(0, 5)].join(" "));
    }
    const { name } = event.target.closest("[data-name]").dataset;
    await this.api("/example", { name }, { method: "POST", body: file });
    await this.show(fill(texts.names.example, { name }));
  }
}

async function ask(address, options = {}) {
  const answer = await fetch(address, options);
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Error([body.message ?? fill(texts.names.error, { status: answer.status }), body.hint].filter(Boolean).join(" "));
}

// The names that go on as the word that is being typed, below the question. Arrows choose, Enter or Tab takes, Esc closes.
const MOST_OFFERS = 6;
const SHORTEST = 2;
const offers = { names: null, coming: null, list: null, box: null, active: -1, value: "" };
const isQuestion = (element) => element.matches?.("#question textarea, #question input");
const typedWord = (box) => box.value.slice(0, box.selectionStart).match(/[^\s"“”]+(?: [^\s"“”]+)?$/)?.[0].replace(/^-/, "") ?? "";
const close = () => {
  offers.value = "";
  if (offers.list) offers.list.hidden = true;
  offers.active = -1;
  offers.box?.setAttribute("aria-expanded", "false");
  offers.box?.removeAttribute("aria-activedescendant");
};
const open = () => offers.list && !offers.list.hidden;
const prepare = (box) => {
  if (offers.list) return;
  offers.list = Object.assign(document.createElement("ul"), { id: "ss-offers", role: "listbox", hidden: true });
  offers.list.setAttribute("role", "listbox");
  offers.list.setAttribute("aria-label", texts.names.title);
  offers.list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const row = event.target.closest("li");
    if (row) take(row.textContent);
  });
  document.querySelector(".gradio-container").append(offers.list);
  offers.box = box;
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": "ss-offers", "aria-expanded": "false", autocomplete: "off" })) {
    box.setAttribute(name, value);
  }
};
const meant = (box) => {
  const whole = typedWord(box);
  const tails = [whole, whole.split(" ").pop()].filter((one) => one.length >= SHORTEST);
  for (const tail of tails) {
    const begins = (text) => text.toLowerCase().startsWith(tail.toLowerCase()) && text.toLowerCase() !== tail.toLowerCase();
    const found = offers.names.filter((name) => begins(name) || name.split(" ").some((word) => begins(word)));
    if (found.length) return { tail, found: found.slice(0, MOST_OFFERS) };
  }
  return { tail: "", found: [] };
};
const names = async () => {
  const root = document.querySelector("ss-names")?.dataset.root ?? "";
  offers.names = (await (await ask(`${root}/api/v1/names`)).json()).map((one) => one.name);
};
const offer = async (box) => {
  if (!offers.names) await (offers.coming ??= names().finally(() => (offers.coming = null)));
  // What was typed while the names were on their way has been answered by then, or the visitor is elsewhere.
  if (!offers.names.length || offers.value === box.value || document.activeElement !== box) return;
  offers.value = box.value;
  prepare(box);
  const { tail, found } = meant(box);
  if (!found.length) return close();
  offers.tail = tail;
  offers.active = -1;
  offers.list.replaceChildren(...found.map((name, place) => {
    const row = Object.assign(document.createElement("li"), { id: `ss-offer-${place}`, textContent: name });
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    return row;
  }));
  const place = box.getBoundingClientRect();
  offers.list.style.left = `${place.left + window.scrollX}px`;
  offers.list.style.top = `${place.bottom + window.scrollY + 4}px`;
  offers.list.hidden = false;
  box.setAttribute("aria-expanded", "true");
};
const choose = (by) => {
  const rows = [...offers.list.children];
  offers.active = (offers.active + by + rows.length + (offers.active < 0 && by < 0 ? 1 : 0)) % rows.length;
  rows.forEach((row, place) => row.setAttribute("aria-selected", String(place === offers.active)));
  offers.box.setAttribute("aria-activedescendant", rows[offers.active].id);
};
const take = (name) => {
  const { box, tail } = offers;
  const at = box.selectionStart;
  const before = box.value.slice(0, at - tail.length);
  const value = `${before}${name}${box.value.slice(at)}`;
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), "value").set.call(box, value);
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.setSelectionRange(before.length + name.length, before.length + name.length);
  close();
};
document.addEventListener("input", (event) => {
  if (isQuestion(event.target) && event.inputType) offer(event.target).catch(close);
  else if (isQuestion(event.target)) close();
});
document.addEventListener("focusout", (event) => isQuestion(event.target) && close());
document.addEventListener("keydown", (event) => {
  if (!open() || event.target !== offers.box || event.isComposing) return;
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const isTaken = (event.key === "Enter" || event.key === "Tab") && offers.active >= 0;
  if (by) choose(by);
  else if (isTaken) take(offers.list.children[offers.active].textContent);
  else if (event.key === "Escape") close();
  else return event.key === "Enter" ? close() : undefined;
  event.preventDefault();
  event.stopPropagation();
}, true);

if (!customElements.get("ss-names")) customElements.define("ss-names", Names);
