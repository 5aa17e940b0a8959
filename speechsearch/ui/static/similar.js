// <ss-similar>: what is like a passage, a recording or a sound, asked for when the fold is opened. <ss-duplicates>: the
// fold with recordings that are there twice. What is decided goes to the REST routes.

const told = (words) => {
  const notice = document.createElement("div");
  notice.className = "ss-notice ss-problem";
  notice.setAttribute("role", "alert");
  notice.textContent = words;
  return notice;
};
// The answer, also one that says in HTML what went wrong.
const sent = async (address, options = {}) => {
  const answer = await fetch(address, options);
  const isPage = answer.headers.get("content-type")?.startsWith("text/html");
  if (answer.ok || isPage) return answer;
  const problem = await answer.json().catch(() => ({}));
  const words = problem.message ?? fill(texts.similar.error, { status: answer.status });
  throw new Error([words, problem.hint].filter(Boolean).join(" "));
};

class Similar extends HTMLElement {
  connectedCallback() {
    this.body = this.querySelector(".ss-l-body");
    this.status = this.querySelector(".ss-l-status");
    this.querySelector("details").addEventListener("toggle", (event) => {
      if (event.target.open && this.dataset.track && (this.hasFailed || !this.body.hasChildNodes())) this.show();
    });
    this.addEventListener("click", (event) => {
      const { sense } = event.target.closest("button")?.dataset ?? {};
      if (sense) this.show(sense);
    });
    this.addEventListener("change", (event) => this.take(event.target.files?.[0]));
    if (!this.dataset.track) this.listenForDrops();
  }

  listenForDrops() {
    const fold = this.querySelector("details");
    for (const name of ["dragover", "dragleave", "drop"]) {
      this.addEventListener(name, (event) => {
        event.preventDefault();
        fold.classList.toggle("ss-l-over", name === "dragover");
        if (name === "drop") {
          fold.open = true;
          this.take(event.dataTransfer.files[0]);
        }
      });
    }
  }

  take(file) {
    if (!file) return;
    this.file = file;
    this.body.replaceChildren();
    this.show();
  }

  // What is alike in a sense, the first that there is or another; the button that was pressed keeps the focus.
  async show(sense = "") {
    const turn = (this.turn = {});
    const isFirst = !sense;
    this.setAttribute("aria-busy", "true");
    const say = (words) => this.status && (this.status.textContent = words);
    say(texts.similar.looking);
    if (isFirst && !this.status) this.body.textContent = texts.similar.looking;
    try {
      const wanted = { ...(sense && { sense }), ...(!this.file && { track: this.dataset.track }) };
      const options = this.file ? { method: "POST", body: this.file } : {};
      const answer = await sent(`${this.dataset.root}/page/similar?${new URLSearchParams(wanted)}`, options);
      const html = await answer.text();
      if (this.turn !== turn) return;
      this.hasFailed = !answer.ok;
      this.body.innerHTML = html;
      say(this.file ? fill(texts.similar.file, { name: this.file.name }) : "");
      if (!isFirst) this.querySelector(`[data-sense=${sense}]`)?.focus();
    } catch (error) {
      this.hasFailed = true;
      if (this.turn === turn) this.body.replaceChildren(told(error.message));
      say("");
    } finally {
      if (this.turn === turn) this.removeAttribute("aria-busy");
    }
  }
}

class Duplicates extends HTMLElement {
  connectedCallback() {
    this.innerHTML = '<details class="ss-n-fold"><summary>' + texts.similar.duplicates + '</summary><div><p class="ss-l-status" role="status"></p>' +
      '<div data-part="panel"></div></div></details>';
    this.status = this.querySelector(".ss-l-status");
    this.panel = this.querySelector("[data-part=panel]");
    const failed = (error) => this.say(error.message);
    this.querySelector("details").addEventListener("toggle", (event) => event.target.open && this.show(false).catch(failed));
    this.addEventListener("submit", (event) => {
      event.preventDefault();
      this.show(true).catch(failed);
    });
    this.addEventListener("click", (event) => this.clicked(event).catch(failed));
  }

  // What happened, with a button that takes it back.
  say(words, back = null) {
    this.status.textContent = words;
    if (!back) return;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "ss-button", textContent: texts.similar.undo });
    button.onclick = () => back().catch((error) => this.say(error.message));
    this.status.append(button);
  }

  async show(isLooking) {
    const collection = this.querySelector("[name=collection]")?.value ?? "";
    if (isLooking) this.say(texts.similar.looking);
    const parameters = new URLSearchParams(isLooking ? { collection, look: "true" } : { collection });
    this.panel.innerHTML = await (await sent(`${this.dataset.root}/page/similar/duplicates?${parameters}`)).text();
    const count = this.panel.querySelectorAll(".ss-l-pairs > li").length;
    if (isLooking) this.say(fill(count === 1 ? texts.similar.pair : texts.similar.pairs, { count }));
  }

  judge(first, second, verdict) {
    const body = JSON.stringify({ first, second, verdict });
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body };
    return sent(`${this.dataset.root}/api/v1/similar/duplicates`, options);
  }

  async clicked(event) {
    const button = event.target.closest("button[data-keep]");
    if (!button) return;
    const { first, second } = button.closest("li").dataset;
    if (button.dataset.keep === "both") {
      await this.judge(first, second, "keep both");
      await this.show(true);
      this.say(texts.similar.kept, async () => {
        await this.judge(first, second, null);
        await this.show(true);
        this.say(texts.similar.undone);
      });
      return;
    }
    const { title } = button.dataset;
    // A slip of the finger deletes nothing: the button asks first.
    if (!("sure" in button.dataset)) {
      const label = button.textContent;
      button.dataset.sure = "";
      button.textContent = fill(texts.similar.sure, { title });
      button.addEventListener("blur", () => (delete button.dataset.sure, (button.textContent = label)), { once: true });
      return this.say(fill(texts.similar.again, { title }));
    }
    await sent(`${this.dataset.root}/api/v1/recordings/${button.dataset.delete}`, { method: "DELETE" });
    await this.show(true);
    this.say(fill(texts.similar.deleted, { title }));
    document.querySelector("#changed")?.click();
  }
}

if (!customElements.get("ss-similar")) customElements.define("ss-similar", Similar);
if (!customElements.get("ss-duplicates")) customElements.define("ss-duplicates", Duplicates);
