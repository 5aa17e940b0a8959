const QUESTION = "#question textarea, #question input";
const KEYS_OFF = "speechsearch-keys-off";

// One element for what is said in passing, visible; one for outcomes that are seen anyway.
const makeStatus = (kind) => {
  const element = document.createElement("div");
  element.className = kind;
  element.setAttribute("role", "status");
  document.querySelector(".gradio-container").append(element);
  return element;
};
const toast = makeStatus("ss-toast");
const outcome = makeStatus("ss-unseen");
let toastTimer = 0;
const say = (words) => {
  toast.textContent = words;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.textContent = ""), 4000);
};

const player = (card) => card.querySelector("audio");
const api = (card) => player(card).src.replace(/\/clips\/.*$/, "");
const isVisible = (element) => element.offsetParent !== null;
const cards = () => [...document.querySelectorAll(".ss-column .ss-hit")].filter(isVisible);
const goTo = (card) => {
  card.closest("details")?.setAttribute("open", "");
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
};
const fetchJson = async (address, options) => {
  const answer = await fetch(address, options);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message ?? fill(texts.search.error, { status: answer.status }));
  return answer.status === 204 ? null : answer.json();
};

// After every search: the address says what is shown, and so do screen readers.
const keepAddress = ([q, , k, engine, right, collection, speaker, language, from, to]) => {
  // A recording that is in view has the address to itself.
  if (document.querySelector("ss-recording")?.offsetParent) return;
  const address = new URL(window.location.href);
  const theme = address.searchParams.get("__theme");
  const kept = new URLSearchParams(theme ? { __theme: theme } : {});
  const answered = document.querySelector(".ss-answer")?.dataset.question;
  if (answered || q.trim()) {
    const question = answered ? { ask: answered } : { q: q.trim() };
    Object.entries({ ...question, k, engine, right }).forEach((pair) => kept.append(...pair));
    Object.entries({ collection, speaker, language, from, to }).forEach(([name, value]) =>
      [value ?? []].flat().filter(Boolean).forEach((one) => kept.append(name, one)),
    );
  }
  address.search = kept.toString();
  window.history.replaceState(window.history.state, "", address);
};
const showJudgements = async () => {
  for (const column of document.querySelectorAll(".ss-column")) {
    const card = column.querySelector(".ss-hit");
    if (!card || !column.dataset.question) continue;
    const asked = new URLSearchParams({ question: column.dataset.question });
    for (const { passage_id, relevance } of await fetchJson(`${api(card)}/feedback?${asked}`)) press(passage_id, relevance);
    window.speechsearch.judged?.();
    return;
  }
};
const press = (passage, relevance) => {
  for (const vote of document.querySelectorAll(`.ss-hit[data-passage="${CSS.escape(passage)}"] .ss-vote`)) {
    vote.setAttribute("aria-pressed", String(vote.dataset.relevance === String(relevance)));
  }
};
window.speechsearch = {
  ...window.speechsearch,
  say,
  cards,
  goTo,
  press,
  fetchJson,
  shown: (...controls) => {
    const isAnswered = document.querySelector(".ss-why") !== null;
    if (isAnswered) keepAddress(controls);
    const words = document.querySelectorAll(".ss-answer .ss-sentences, .ss-answer .ss-none, .ss-summary, #message .ss-notice");
    outcome.textContent = [...words].map((one) => one.innerText).join(" ");
    if (isAnswered) showJudgements().catch((error) => say(fill(texts.search.noRatings, { error: error.message })));
  },
};

// The passage before and after, in place.
const step = async (card, direction) => {
  const isPlaying = !player(card).paused;
  const here = card.dataset.shown ?? card.dataset.passage;
  const neighbours = await fetchJson(`${api(card)}/passages/${here}`);
  if (!neighbours[direction]) return say(direction === "next" ? texts.search.last : texts.search.first);
  const { passage_id, start_s, end_s } = await fetchJson(`${api(card)}/passages/${neighbours[direction]}`);
  const clip = `${api(card)}/clips/${passage_id}`;
  const where = `${clock(start_s)}–${clock(end_s)}`;
  card.dataset.shown = passage_id;
  card.classList.toggle("ss-stepped", passage_id !== card.dataset.passage);
  card.querySelector(".ss-time").textContent = where;
  const open = card.querySelector(".ss-open");
  const link = new URL(open.href);
  link.searchParams.set("t", start_s.toFixed(2));
  open.href = link;
  open.dataset.start = start_s.toFixed(2);
  open.dataset.end = end_s.toFixed(2);
  card.querySelector(".ss-download").href = `${clip}?download=1`;
  const title = `${card.querySelector("h2").innerText}, ${where}`;
  Object.assign(card.querySelector("ss-player").dataset, { title, seconds: end_s - start_s });
  player(card).src = clip;
  if (isPlaying) await player(card).play();
};
const playFrom = (card, seconds) => {
  player(card).currentTime = seconds;
  return player(card).play();
};
const vote = async (card, button) => {
  const { engine, question } = card.closest(".ss-column").dataset;
  const relevance = button.getAttribute("aria-pressed") === "true" ? null : Number(button.dataset.relevance);
  const body = { question, passage_id: card.dataset.passage, relevance, engine, rank: Number(card.dataset.rank) };
  await fetchJson(`${api(card)}/feedback`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  press(body.passage_id, relevance);
  say(relevance === null ? texts.search.removed : texts.search.rated);
};
// A link to the passage alone: the player stops at its end.
const copy = async (open) => {
  const link = new URL(open.href);
  link.searchParams.set("end", open.dataset.end);
  await navigator.clipboard.writeText(link.href);
  say(texts.search.copied);
};

const actions = {
  "ss-step": (card, button) => step(card, button.dataset.step),
  "ss-copy": (card) => copy(card.querySelector(".ss-open")),
  "ss-vote": vote,
  "ss-heard": (card, button) => playFrom(card, Number(button.dataset.at)),
  "ss-twin": (card, button) => goTo(document.getElementById(button.dataset.twin)),
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.classList.contains("ss-help-open")) showHelp();
  const card = button?.closest(".ss-hit");
  const name = card && Object.keys(actions).find((one) => button.classList.contains(one));
  if (name) Promise.resolve(actions[name](card, button)).catch((error) => say(fill(texts.search.failed, { error: error.message })));
});

// Keys. They can be switched off, because speech input and some screen readers type single letters.
const areKeysOn = () => localStorage.getItem(KEYS_OFF) === null;
const showHelp = () => {
  document.querySelector(".ss-keys").checked = areKeysOn();
  document.querySelector(".ss-help").showModal();
};
document.addEventListener("change", (event) => {
  if (!event.target.matches(".ss-keys")) return;
  if (event.target.checked) localStorage.removeItem(KEYS_OFF);
  else localStorage.setItem(KEYS_OFF, "1");
});
const isTyping = (element) =>
  element.isContentEditable || element.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=range])");
const move = (by) => {
  const all = cards();
  const here = all.indexOf(document.activeElement.closest?.(".ss-hit"));
  const next = here < 0 ? (by > 0 ? 0 : -1) : here + by;
  if (all[next]) goTo(all[next]);
};
const keys = {
  "/": () => document.querySelector(QUESTION).focus(),
  "?": () => showHelp(),
  j: () => move(1),
  k: () => move(-1),
};
document.addEventListener("keydown", (event) => {
  const box = document.querySelector(QUESTION);
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
  if (!areKeysOn() || !box || !isVisible(box) || document.querySelector("dialog[open]")) return;
  if (event.key === " " && event.target.matches(".ss-hit")) {
    event.preventDefault();
    const sound = player(event.target);
    if (sound.paused) sound.play().catch((error) => say(fill(texts.search.noPlay, { error: error.message })));
    else sound.pause();
  } else if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});
