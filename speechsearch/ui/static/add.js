// The Add recordings tab: what was chosen, sending it, and the queue. The same routes serve programs.
const root = window.location.pathname.replace(/\/+$/, "");
const FIELDS = ["title", "speaker", "date", "language", "licence"];
const SOUND = /^(audio|video)\//;
const PACKED = /\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$/i;
const TABLE = /(^|\/)metadata\.csv$/i;
const TEXT = /\.(srt|vtt|json)$/i;
const COLUMNS = {
  filename: "file", filepath: "file", path: "file", audio: "file", audiofile: "file", datei: "file", dateiname: "file",
  name: "title", titel: "title", titre: "title", speakerid: "speaker", speakername: "speaker", narrator: "speaker",
  reader: "speaker", author: "speaker", artist: "speaker", sprecher: "speaker", recordedon: "date", recorded: "date",
  datum: "date", lang: "language", locale: "language", sprache: "language", license: "licence", url: "source",
};
const HEADER_WITHIN = 20;
const MOST_ROWS = 200;
const MOST_NAMED = 12;
const IDLE_MS = 15000;

let chosen = []; // { file, name, fields }
let described = new Map(); // what the chosen metadata.csv say: name as it is compared -> fields
let sending = null;
const byId = (id) => document.getElementById(id);

// Choosing

const baseName = (name) => name.slice(name.lastIndexOf("/") + 1);
const folderOf = (name) => name.slice(0, name.lastIndexOf("/") + 1);
const titleOf = (name) => baseName(name).replace(/\.[^.]*$/, "").replaceAll("_", " ").trim();
const sizeOf = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);

const isHidden = (name) => name.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");

// In a folder, only what may be sound, or belong to it; a file that was chosen by itself is always tried.
const isWanted = ({ file, name }) =>
  !name.includes("/") || SOUND.test(file.type) || !file.type || PACKED.test(name) || TABLE.test(name) || TEXT.test(name);

async function choose(found) {
  const known = new Set(chosen.map((one) => one.name));
  const seen = found.filter((one) => !isHidden(one.name));
  for (const one of seen.filter(isWanted)) {
    if (known.has(one.name)) continue;
    known.add(one.name);
    chosen.push({ ...one, fields: {} });
  }
  for (const { file, name } of chosen.filter((one) => TABLE.test(one.name))) {
    for (const [key, fields] of rowsOf(textOf(await file.arrayBuffer()), folderOf(name))) described.set(key, fields);
  }
  const left = seen.filter((one) => !isWanted(one)).map((one) => one.name);
  const names = left.slice(0, MOST_NAMED).join(", ");
  const number = left.length - MOST_NAMED;
  if (left.length) say(fill(number > 0 ? texts.add.notSoundAndMore : texts.add.notSound, { names, number }), texts.add.notSoundHint);
  else say("");
  draw();
}

// What is shown before sending; the server reads the tables again, and more carefully.

// UTF-8, UTF-16 with or without its mark, or what Windows wrote before.
function textOf(buffer) {
  const bytes = new Uint8Array(buffer);
  const zeros = [0, 1].map((start) => bytes.filter((byte, place) => byte === 0 && place % 2 === start).length);
  const hasMark = (first, second) => bytes[0] === first && bytes[1] === second;
  if (hasMark(0xfe, 0xff) || (10 * zeros[0] >= bytes.length && zeros[0] > zeros[1])) return new TextDecoder("utf-16be").decode(bytes);
  if (hasMark(0xff, 0xfe) || (zeros[1] && 10 * zeros[1] >= bytes.length)) return new TextDecoder("utf-16le").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

// A name as it is compared: written the same way, whatever its case, spaces and signs between words.
const loose = (name) => name.normalize("NFKC").toLowerCase().replace(/[\s_\-–]+/g, " ").trim();
const withoutEnding = (name) => name.replace(/\.[^./]*$/, "");
const rowOf = (name) => described.get(loose(name)) ?? described.get(loose(withoutEnding(name)));

function rowsOf(text, folder) {
  const lines = cellsOf(text);
  const heads = lines.map((line) => line.map(columnOf));
  const place = heads.slice(0, HEADER_WITHIN).findIndex((line) => line.includes("file"));
  const rows = new Map();
  if (place < 0) return rows;
  for (const cells of lines.slice(place + 1)) {
    const row = {};
    heads[place].forEach((column, number) => (row[column] ||= (cells[number] ?? "").trim()));
    const name = row.file.replaceAll("\\", "/").replace(/^(\.\/)+/, "");
    if (name) rows.set(loose(folder + name), row);
  }
  return rows;
}

function columnOf(head) {
  const key = head.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  return COLUMNS[key] ?? key;
}

// Comma, semicolon, tab or bar, or what the first line says; quotes as in RFC 4180.
function cellsOf(text) {
  const said = /^"?sep=(.)"?[ ,;\t]*\r?\n/i.exec(text);
  const body = said ? text.slice(said[0].length) : text;
  const head = body.split("\n", 1)[0];
  const usual = [",", ";", "\t", "|"].reduce((best, one) => (head.split(one).length > head.split(best).length ? one : best));
  const mark = said ? said[1] : usual;
  const lines = [[""]];
  let isQuoted = false;
  for (let place = 0; place < body.length; place += 1) {
    const sign = body[place];
    const line = lines.at(-1);
    if (isQuoted) {
      if (sign !== '"') line[line.length - 1] += sign;
      else if (body[place + 1] === '"') line[line.length - 1] += body[(place += 1)];
      else isQuoted = false;
    } else if (sign === '"') isQuoted = true;
    else if (sign === mark) line.push("");
    else if (sign === "\n") lines.push([""]);
    else if (sign !== "\r") line[line.length - 1] += sign;
  }
  return lines.filter((line) => line.length > 1 || line[0].trim());
}

const valueOf = (one, field) =>
  one.fields[field] ?? (rowOf(one.name)?.[field] || (field === "title" ? titleOf(one.name) : ""));

function draw() {
  const shown = chosen.filter((one) => !TABLE.test(one.name));
  byId("add-chosen").hidden = !chosen.length;
  const bytes = chosen.reduce((sum, one) => sum + one.file.size, 0);
  const tables = chosen.length - shown.length;
  const files = fill(shown.length === 1 ? texts.add.file : texts.add.files, { number: shown.length, size: sizeOf(bytes) });
  byId("add-count").textContent =
    tables ? fill(texts.add.withTable, { files }) : files;
  const rest = shown.length - MOST_ROWS;
  byId("add-rest").textContent = rest > 0 ? fill(texts.add.rest, { number: rest }) : "";
  byId("add-rows").replaceChildren(...shown.slice(0, MOST_ROWS).map(rowFor));
}

function rowFor(one) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const name = document.createElement("bdi");
  name.textContent = one.name;
  const size = document.createElement("small");
  size.textContent = sizeOf(one.file.size);
  head.append(name, size);
  row.append(head);
  if (PACKED.test(one.name)) {
    const cell = document.createElement("td");
    cell.colSpan = FIELDS.length;
    cell.className = "ss-packed";
    cell.textContent = texts.add.archive;
    row.append(cell);
  } else {
    for (const field of FIELDS) row.append(cellFor(one, field));
  }
  const last = document.createElement("td");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "ss-small";
  button.textContent = "×";
  button.setAttribute("aria-label", fill(texts.add.leaveOut, { name: one.name }));
  button.addEventListener("click", () => {
    chosen = chosen.filter((other) => other !== one);
    draw();
  });
  last.append(button);
  row.append(last);
  return row;
}

function cellFor(one, field) {
  const cell = document.createElement("td");
  const input = document.createElement("input");
  input.value = valueOf(one, field);
  input.maxLength = 255;
  input.dataset.field = field;
  const title = texts.add[`field_${field}`];
  input.setAttribute("aria-label", fill(texts.add.fieldOf, { field: title, name: one.name }));
  input.addEventListener("input", () => (one.fields[field] = input.value));
  cell.dataset.label = title;
  cell.append(input);
  return cell;
}

async function filesIn(entry, folder = "") {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, name: folder + file.name }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return found;
    for (const inner of entries) found.push(...(await filesIn(inner, `${folder}${entry.name}/`)));
  }
}

// Sending

function say(message, hint = "", isProblem = false) {
  const box = document.createElement("div");
  box.className = `ss-notice ${isProblem ? "ss-problem" : "ss-info"}`;
  const strong = document.createElement("strong");
  const more = document.createElement("span");
  strong.textContent = message;
  more.textContent = hint;
  box.append(strong, ...(hint ? [more] : []));
  byId("add-message").replaceChildren(...(message ? [box] : []));
}

function tooMuch(limits) {
  const large = chosen.find((one) => one.file.size > Number(limits.fileBytes));
  if (large) {
    const values = { name: large.name, size: sizeOf(large.file.size), allowed: sizeOf(Number(limits.fileBytes)) };
    return [fill(texts.add.tooLarge, values), texts.add.tooLargeHint];
  }
  const bytes = chosen.reduce((sum, one) => sum + one.file.size, 0);
  if (bytes > Number(limits.totalBytes)) {
    const values = { size: sizeOf(bytes), allowed: sizeOf(Number(limits.totalBytes)) };
    return [fill(texts.add.tooMuch, values), texts.add.tooMuchHint];
  }
  if (chosen.length > Number(limits.files)) {
    return [fill(texts.add.tooMany, { allowed: limits.files }), texts.add.tooMuchHint];
  }
  return null;
}

function send(form) {
  if (sending) return;
  if (!chosen.length) return say(texts.add.none, texts.add.noneHint, true);
  const problem = tooMuch(form.dataset);
  if (problem) return say(...problem, true);
  const body = new FormData();
  const metadata = {};
  body.append("collection", byId("collection").value);
  for (const one of chosen) {
    if (Object.keys(one.fields).length) metadata[one.name] = one.fields;
  }
  body.append("metadata", JSON.stringify(metadata));
  for (const one of chosen) body.append("files", one.file, one.name);
  say("");
  sending = new XMLHttpRequest();
  sending.open("POST", `${root}/api/v1/recordings`);
  sending.responseType = "json";
  sending.upload.addEventListener("progress", (event) => sent(event.loaded, event.total));
  sending.addEventListener("load", () => done(sending.status, sending.response));
  sending.addEventListener("error", () => done(0, null));
  sending.addEventListener("abort", () => done(-1, null));
  sent(0, 1);
  sending.send(body);
}

function sent(loaded, total) {
  const percent = total ? Math.round((100 * loaded) / total) : 0;
  byId("add-sending").hidden = !sending;
  byId("add").disabled = Boolean(sending);
  byId("add-sending").querySelector(".ss-bar").setAttribute("aria-valuenow", percent);
  byId("add-sending").querySelector(".ss-bar span").style.width = `${percent}%`;
  byId("add-sent").textContent = percent < 100 ? fill(texts.add.sending, { percent }) : texts.add.sent;
}

function done(status, answer) {
  sending = null;
  sent(0, 1);
  if (status === 202) {
    chosen = [];
    described = new Map();
    draw();
    look();
  } else if (status > 0) {
    say(answer?.message ?? fill(texts.add.error, { status }), answer?.hint ?? texts.add.again, true);
  } else if (status === 0) {
    say(texts.add.broken, texts.add.brokenHint, true);
  }
}

async function post(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) };
  const answer = await fetch(root + path, options).catch(() => null);
  const said = await answer?.json().catch(() => null);
  if (!answer?.ok) say(said?.message ?? texts.add.silent, said?.hint ?? texts.add.again, true);
  await look();
  return Boolean(answer?.ok);
}

// The queue

const drawn = new Map(); // job -> HTML as it came
let timer = 0;
let wasBusy = false;
let waitMs = IDLE_MS;

async function look() {
  clearTimeout(timer);
  const answer = document.hidden ? null : await fetch(`${root}/page/jobs`).catch(() => null);
  const state = answer?.ok ? await answer.json() : null;
  if (state) show(state);
  clearTimeout(timer);
  timer = setTimeout(look, waitMs);
}

function show(state) {
  const news = byId("news");
  if (news && news.innerHTML !== state.banner) news.innerHTML = state.banner;
  for (const held of document.querySelectorAll(".ss-held")) held.textContent = state.held;
  // There is more to search now: what the server drew for the page is drawn anew.
  if (wasBusy && !state.is_busy) byId("changed")?.click();
  wasBusy = state.is_busy;
  waitMs = 1000 * state.look_again_s;
  if (!byId("add-form")) return;
  byId("add-closed").innerHTML = state.closed;
  byId("add-form").hidden = Boolean(state.closed);
  for (const id of ["add-feed", "add-dataset"]) byId(id).hidden = !state.may_add_from_elsewhere || Boolean(state.closed);
  const names = state.collections.map((name) => Object.assign(document.createElement("option"), { value: name }));
  byId("add-collections").replaceChildren(...names);
  showJobs(byId("add-queue"), state.jobs);
}

// Only what has changed is drawn, so that the focus stays and what was opened stays open.
function showJobs(queue, jobs) {
  const nodes = new Map([...queue.children].map((node) => [node.dataset.key, node]));
  for (const { job_id, html } of jobs) {
    let node = nodes.get(job_id);
    nodes.delete(job_id);
    if (!node) {
      node = document.createElement("div");
      node.dataset.key = job_id;
      drawn.delete(job_id);
    }
    if (drawn.get(job_id) !== html) {
      const before = node.querySelector("details");
      const wasOpen = before?.open;
      const focused = node.contains(document.activeElement) ? document.activeElement.dataset.action : null;
      node.innerHTML = html;
      drawn.set(job_id, html);
      const details = node.querySelector("details");
      if (details && before && wasOpen) details.open = true;
      if (focused) (node.querySelector(`[data-action="${focused}"]`) ?? node.querySelector("button, summary"))?.focus();
    }
    if (queue.children[jobs.findIndex((one) => one.job_id === job_id)] !== node) {
      queue.insertBefore(node, queue.children[jobs.findIndex((one) => one.job_id === job_id)] ?? null);
    }
  }
  for (const node of nodes.values()) node.remove();
}

// What the visitor does

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button.dataset.choose) byId(button.dataset.choose).click();
  else if (button.id === "add-clear") [chosen, described] = [[], new Map()], draw();
  else if (button.id === "add-abort") sending?.abort();
  else if (button.dataset.job) {
    button.disabled = true;
    post(`/api/v1/jobs/${encodeURIComponent(button.dataset.job)}/${button.dataset.action}`);
  }
});
document.addEventListener("change", (event) => {
  if (!["add-files", "add-folder"].includes(event.target.id)) return;
  choose([...event.target.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
  event.target.value = "";
});
document.addEventListener("submit", async (event) => {
  if (event.target.id === "add-form") {
    event.preventDefault();
    send(event.target);
  } else if (["feed-form", "dataset-form"].includes(event.target.id)) {
    event.preventDefault();
    const path = `/api/v1/recordings/${event.target.id === "feed-form" ? "feed" : "dataset"}`;
    const fields = Object.fromEntries(new FormData(event.target));
    fields.limit = fields.limit ? Number(fields.limit) : null;
    say("");
    if (await post(path, { ...fields, collection: byId("collection").value })) event.target.reset();
  }
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, async (event) => {
    const drop = event.target.closest?.("#add-form") && byId("add-drop");
    if (!drop || ![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    drop.classList.toggle("ss-over", kind === "dragenter" || kind === "dragover");
    if (kind !== "drop") return;
    const files = [...event.dataTransfer.files].map((file) => ({ file, name: file.name }));
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    choose(entries.length ? (await Promise.all(entries.map((entry) => filesIn(entry)))).flat() : files);
  });
}
document.addEventListener("visibilitychange", () => document.hidden || look());
// Another tab of the page draws its form only when it is opened.
document.addEventListener("click", (event) => event.target.closest?.("[role=tab]") && setTimeout(look, 50));
look();
