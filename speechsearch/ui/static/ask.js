// The answer above the columns: what it cites is played to the very second, in its card where there is one.
const { say, cards, goTo, press, fetchJson } = window.speechsearch;
const PAUSE_MS = 400;
const current = () => document.querySelector(".ss-answer");
const cardOf = (passage) => cards().find((card) => card.dataset.passage === passage && !card.classList.contains("ss-stepped"));

// What is lit stays so until something else is played: it shows where in the card the cited words are.
const unlight = () => {
  for (const lit of document.querySelectorAll(".ss-lit")) lit.classList.remove("ss-lit");
  for (const line of document.querySelectorAll(".ss-cited")) line.remove();
};
const light = (chip) => {
  unlight();
  chip.classList.add("ss-lit");
  const { passage, from, to, length } = chip.dataset;
  for (const card of cards().filter((one) => one.dataset.passage === passage)) {
    card.classList.add("ss-lit");
    const line = Object.assign(document.createElement("div"), { className: "ss-line ss-cited" });
    line.ariaHidden = "true";
    const mark = line.appendChild(document.createElement("i"));
    mark.style.left = `${(100 * from) / length}%`;
    mark.style.width = `${(100 * (to - from)) / length}%`;
    card.querySelector("ss-player").after(line);
  }
};

// The sound that a chip plays: the player of its card, else one of the answer's own.
const soundOf = (chip) => {
  const { passage } = chip.dataset;
  const card = cardOf(passage);
  if (card) return card.querySelector("audio");
  const own = current().querySelector(":scope > audio");
  const clip = `${current().dataset.api}/clips/${passage}`;
  if (!own.src.endsWith(clip)) own.src = clip;
  return own;
};

// Plays what a chip cites and stops there; gives whether it was played to its end.
let playing = null;
const play = async (chip) => {
  playing?.sound.pause();
  const sound = soundOf(chip);
  const mine = (playing = { chip, sound });
  light(chip);
  sound.currentTime = Number(chip.dataset.from);
  chip.ariaPressed = "true";
  try {
    await sound.play();
    return await ended(sound, Number(chip.dataset.to), () => playing === mine);
  } finally {
    chip.ariaPressed = "false";
    if (playing === mine) playing = null;
  }
};
const ended = (sound, to, isWanted) =>
  new Promise((resolve) => {
    const look = () => {
      const isOver = isWanted() && (sound.ended || sound.currentTime >= to);
      if (isOver) sound.pause();
      else if (isWanted() && !sound.paused) return false;
      for (const name of ["timeupdate", "pause"]) sound.removeEventListener(name, look);
      resolve(isOver);
      return true;
    };
    const frame = () => look() || requestAnimationFrame(frame);
    // Frames are not drawn in a tab in the background.
    for (const name of ["timeupdate", "pause"]) sound.addEventListener(name, look);
    frame();
  });

// All that is cited, in order, with a short pause between.
let round = null;
const playAll = async (button) => {
  const label = button.querySelector("span");
  if (round) {
    round = null;
    playing?.sound.pause();
    return;
  }
  const mine = (round = {});
  const chips = [...new Map([...current().querySelectorAll(".ss-chip")].map((chip) => [chip.dataset.number, chip])).values()];
  label.textContent = texts.ask.stop;
  try {
    for (const chip of chips) {
      if (round !== mine || !(await play(chip))) break;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  } finally {
    if (round === mine) round = null;
    label.textContent = texts.ask.play;
  }
};

const copy = async (answer) => {
  const said = [...answer.querySelectorAll(".ss-sentences > li")].map((row) => {
    const numbers = [...row.querySelectorAll(".ss-chip")].map((chip) => `[${chip.dataset.number}]`);
    return `${row.querySelector("bdi").textContent} ${numbers.join("")}`;
  });
  const sources = [...answer.querySelectorAll(".ss-sources > li")].map((row) => `${row.dataset.copy}, ${row.querySelector("a").href}`);
  await navigator.clipboard.writeText(`${said.join("\n")}\n\n${sources.join("\n")}\n`);
  say(texts.ask.copied);
};

// A judgement of the answer is one of all passages that it cites.
const cited = (answer) => [...new Set([...answer.querySelectorAll(".ss-chip")].map((chip) => chip.dataset.passage))];
const vote = async (answer, button) => {
  const { engine, api } = answer.dataset;
  const question = document.querySelector(".ss-column")?.dataset.question || answer.dataset.question;
  const relevance = button.ariaPressed === "true" ? null : Number(button.dataset.relevance);
  for (const passage_id of cited(answer)) {
    const body = JSON.stringify({ question, passage_id, relevance, engine });
    await fetchJson(`${api}/feedback`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    press(passage_id, relevance);
  }
  for (const one of answer.querySelectorAll(".ss-a-vote")) one.ariaPressed = String(one.dataset.relevance === String(relevance));
  say(relevance === null ? texts.search.removed : texts.search.rated);
};
// What was judged before: the answer as its cards are.
window.speechsearch.judged = () => {
  const answer = current();
  for (const button of answer?.querySelectorAll(".ss-a-vote") ?? []) {
    const votes = cited(answer).map((passage) =>
      document.querySelector(`.ss-hit[data-passage="${CSS.escape(passage)}"] .ss-vote[data-relevance="${button.dataset.relevance}"]`),
    );
    button.ariaPressed = String(votes.length > 0 && votes.every((one) => one?.ariaPressed === "true"));
  }
};

const actions = {
  "ss-chip": (answer, chip) => (chip.ariaPressed === "true" ? playing?.sound.pause() : ((round = null), play(chip))),
  "ss-a-play": (answer, button) => playAll(button),
  "ss-a-copy": copy,
  "ss-a-vote": vote,
  "ss-nearest": () => goTo(document.querySelector("#left .ss-hit, #right .ss-hit")),
  "ss-as-typed": () => document.querySelector("#ask-alone").click(),
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const answer = button?.closest(".ss-answer");
  const name = answer && Object.keys(actions).find((one) => button.classList.contains(one));
  if (name) Promise.resolve(actions[name](answer, button)).catch((error) => say(fill(texts.search.failed, { error: error.message })));
});

// Shift+Enter asks; without this it would search, too.
document.addEventListener(
  "keydown",
  (event) => {
    const isAsking = event.key === "Enter" && event.shiftKey && !event.isComposing && !event.defaultPrevented;
    if (!isAsking || !event.target.matches?.("#question textarea, #question input")) return;
    event.preventDefault();
    event.stopPropagation();
    document.querySelector("#ask-go").click();
  },
  true,
);
