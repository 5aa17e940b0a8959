// <ss-map> draws a collection's passages and plays them. Every point is a mark with the colour and shape of its group.
const SHAPES = [
  "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z",
  "M-4-4H4V4H-4Z",
  "M0-5.6L5.2 3.8H-5.2Z",
  "M0-5.8L5.8 0L0 5.8L-5.8 0Z",
  "M0 5.6L5.2-3.8H-5.2Z",
  "M-1.9-5.2H1.9V-1.9H5.2V1.9H1.9V5.2H-1.9V1.9H-5.2V-1.9H-1.9Z",
];
const COLOURS = 6;
const REACH_PX = 22;
const MARGIN_PX = 18;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class PassageMap extends HTMLElement {
  async connectedCallback() {
    if (this.points) return;
    for (const part of this.querySelectorAll("[data-part]")) this[part.dataset.part] = part;
    try {
      const parameters = new URLSearchParams({ name: this.dataset.name });
      const answer = await fetch(`${this.dataset.root}/api/v1/collections/map?${parameters}`);
      if (!answer.ok) throw new Error(fill(texts.map.error, { status: answer.status }));
      this.take(await answer.json());
    } catch (error) {
      this.about.textContent = error.message;
    }
  }

  take(map) {
    this.points = map.points.map((point) => ({ ...point, recording: map.recordings[point.recording] }));
    const [shown, number] = [this.points.length.toLocaleString("en"), map.passages.toLocaleString("en")];
    const words = this.points.length < map.passages ? texts.map.sample : texts.map.passages;
    const about = fill(texts.map.about, { percent: Math.round(100 * map.variance_share) });
    this.about.textContent = `${fill(words, { shown, number })} ${about}`;
    const speakers = new Set(map.recordings.map((one) => one.speaker));
    this.by = this.querySelector("select");
    if (speakers.size > 1 && speakers.size < map.recordings.length) this.by.value = "speaker";
    if (speakers.size === 1 && speakers.has("")) this.by.closest("label").hidden = true;
    this.by.addEventListener("change", () => this.group());
    this.legend.addEventListener("click", (event) => this.choose(event.target.closest("button")));
    this.plot.addEventListener("pointermove", (event) => this.hover(event));
    this.plot.addEventListener("pointerleave", () => this.point(this.playing));
    this.plot.addEventListener("click", (event) => this.near(event) && this.play(this.near(event)));
    this.plot.addEventListener("keydown", (event) => this.pressed(event));
    this.plot.addEventListener("focus", () => this.pointed ?? this.point(this.points[0]));
    this.group();
    this.sizes = new ResizeObserver(() => this.place());
    this.sizes.observe(this.plot);
  }

  // Give each recording or speaker a colour and a shape, the larger ones first.
  group() {
    const groups = new Map();
    for (const point of this.points) {
      const { recording_id: id, title, speaker } = point.recording;
      const [key, name] = this.by.value === "speaker" ? [speaker, speaker || texts.map.unknown] : [id, title];
      if (!groups.has(key)) groups.set(key, { name, points: [] });
      groups.get(key).points.push(point);
      point.group = groups.get(key);
    }
    const sorted = [...groups.values()].sort(
      (one, other) => other.points.length - one.points.length || one.name.localeCompare(other.name),
    );
    sorted.forEach((one, place) => {
      one.colour = place % COLOURS;
      one.shape = SHAPES[(place + Math.floor(place / COLOURS)) % SHAPES.length];
    });
    this.chosen = null;
    this.legend.replaceChildren(...sorted.map((one) => legendItem(one)));
    this.draw();
  }

  draw() {
    const drawing = svg("svg", { "aria-hidden": "true" });
    for (const point of this.points) {
      point.mark = svg("path", { d: point.group.shape, class: `ss-map-mark ss-map-${point.group.colour}` });
      drawing.append(point.mark);
    }
    this.ring = svg("circle", { r: 10, class: "ss-map-ring", visibility: "hidden" });
    drawing.append(this.ring);
    this.plot.replaceChildren(drawing);
    this.place();
    this.mark();
  }

  // Spread the points over the room there is.
  place() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (!width || !height) return;
    this.plot.firstElementChild.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const across = scale(this.points.map((point) => point.x), width);
    const down = scale(this.points.map((point) => -point.y), height);
    for (const point of this.points) {
      [point.left, point.top] = [across(point.x), down(-point.y)];
      point.mark.setAttribute("transform", `translate(${point.left.toFixed(1)} ${point.top.toFixed(1)})`);
    }
    this.mark();
  }

  // Show which point is pointed at, and fade what is not of its group or of the chosen one.
  mark() {
    const group = this.chosen ?? this.pointed?.group;
    for (const point of this.points) point.mark.classList.toggle("ss-map-faded", !!group && point.group !== group);
    this.plot.classList.toggle("ss-map-chosen", !!this.chosen);
    this.ring.setAttribute("visibility", this.pointed ? "visible" : "hidden");
    if (this.pointed) this.ring.setAttribute("transform", this.pointed.mark.getAttribute("transform"));
    for (const item of this.legend.querySelectorAll("button")) {
      item.setAttribute("aria-pressed", String(item.group === this.chosen));
      item.classList.toggle("ss-map-pointed", item.group === this.pointed?.group);
    }
  }

  choose(item) {
    if (!item) return;
    this.chosen = this.chosen === item.group ? null : item.group;
    this.point(this.chosen ? this.chosen.points[0] : undefined);
  }

  point(point) {
    if (point === this.pointed && this.ring.getAttribute("visibility") === (point ? "visible" : "hidden")) return this.mark();
    this.pointed = point;
    this.mark();
    if (!point) return;
    const { recording_id: id, title, speaker } = point.recording;
    this.now.hidden = false;
    const words = this.now.querySelector("p");
    const name = document.createElement("bdi");
    name.textContent = title;
    words.replaceChildren(name, ` · ${speaker ? `\u2068${speaker}\u2069 · ` : ""}${clock(point.start_s)}–${clock(point.end_s)}`);
    const link = this.now.querySelector("a");
    const address = new URLSearchParams({ recording: id, t: point.start_s });
    Object.assign(link.dataset, { recording: id, start: point.start_s });
    link.href = `?${address}`;
    const player = this.now.querySelector("audio");
    if (player.paused && player.dataset.passage !== point.passage_id) this.load(point);
  }

  load(point) {
    const player = this.now.querySelector("audio");
    if (player.dataset.passage === point.passage_id) return player;
    player.dataset.passage = point.passage_id;
    const title = `${point.recording.title}, ${clock(point.start_s)}–${clock(point.end_s)}`;
    Object.assign(player.parentElement.dataset, { title, seconds: point.end_s - point.start_s });
    player.src = `${this.dataset.root}/api/v1/clips/${point.passage_id}`;
    return player;
  }

  play(point) {
    this.playing = point;
    this.point(point);
    // Another click may be quicker than the sound; then the player itself gives this one up.
    this.load(point).play().catch((error) => {
      if (error.name !== "AbortError") this.about.textContent = fill(texts.map.noPlay, { error: error.message });
    });
  }

  near(event) {
    const box = this.plot.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const best = nearest(this.points, (point) => Math.hypot(point.left - left, point.top - top));
    return best && Math.hypot(best.left - left, best.top - top) <= REACH_PX ? best : null;
  }

  hover(event) {
    const point = this.near(event);
    this.plot.style.cursor = point ? "pointer" : "default";
    if (point && point !== this.pointed) this.point(point);
  }

  pressed(event) {
    const from = this.pointed;
    if (event.key in ARROWS && from) {
      const [right, down] = ARROWS[event.key];
      // Straight ahead counts more than to the side; what lies behind does not count.
      const next = nearest(this.points, (point) => {
        const [left, top] = [point.left - from.left, point.top - from.top];
        const ahead = left * right + top * down;
        return point === from || ahead <= 0 ? Infinity : ahead + 2 * Math.abs(left * down + top * right);
      });
      if (next) this.point(next);
    } else if ((event.key === "Enter" || event.key === " ") && from) {
      const player = this.now.querySelector("audio");
      if (!player.paused && this.playing === from) player.pause();
      else this.play(from);
    } else if (event.key === "Escape") {
      this.chosen = null;
      this.mark();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function legendItem(group) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const drawing = svg("svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" });
  drawing.append(svg("path", { d: group.shape, class: `ss-map-mark ss-map-${group.colour}` }));
  const name = document.createElement("bdi");
  name.textContent = group.name;
  const number = document.createElement("span");
  number.textContent = group.points.length.toLocaleString("en");
  button.type = "button";
  button.group = group;
  button.append(drawing, name, number);
  item.append(button);
  return item;
}

function nearest(points, distance) {
  let [best, least] = [null, Infinity];
  for (const point of points) {
    const far = distance(point);
    if (far < least) [best, least] = [point, far];
  }
  return best;
}

function scale(values, room) {
  const [low, high] = values.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [Infinity, -Infinity]);
  if (high - low < 1e-9) return () => room / 2;
  return (value) => MARGIN_PX + ((value - low) / (high - low)) * (room - 2 * MARGIN_PX);
}

if (!customElements.get("ss-map")) customElements.define("ss-map", PassageMap);
