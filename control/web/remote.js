// The page. The state comes from the daemon and is drawn as it comes; what is clicked goes to the daemon.
import { connect } from "/channel.js";

const $ = (id) => document.getElementById(id);
const HEADER = 24, CHUNK = 32 * 1024, HISTORY = 120;

let remote = null, state = null, infos = [], faces = [], wait = 250, reading = 0, asked = "";
const history_ = { fps: [], latency: [] };
const drawn = new Map();      // processor name -> its widgets
const pictures = new Map();   // face name -> URL of its picture

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

async function run() {
  for (;;) {
    let over;
    const closed = new Promise((resolve) => { over = resolve; });
    try {
      remote = await connect({ onevent, onframe, onclose: over });
      wait = 250;
      await begin();
      const error = await closed;
      if (error.close >= 4100 && error.close < 4200) return pairing();
      say("lost", `connection lost: ${error.message}`);
    } catch (error) {
      if (error.unpaired || error.code === "unauthorized") return pairing();
      say("lost", "the daemon does not answer");
    }
    remote = null;
    $("remote").inert = true;
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random() / 2)));
    wait = Math.min(wait * 2, 8000);
  }
}

function pairing() {
  say("lost", "not paired");
  $("remote").hidden = true;
  $("pairing").hidden = false;
}

async function begin() {
  $("pairing").hidden = true;
  const topics = ["state", "stats", "faces"];
  if (remote.features.has("preview")) topics.push("preview");
  infos = (await remote.call("processor.list")).processors;
  const size = Math.min(960, Math.ceil(innerWidth * devicePixelRatio));
  const preview = { width: Math.max(160, size), height: Math.max(90, size), fps: 15 };
  const told = await remote.call("subscribe", { topics, preview });
  $("record").hidden = !remote.features.has("record");
  $("add-face").hidden = !remote.features.has("faces");
  $("presets-section").hidden = !remote.features.has("presets");
  state = null;
  faces = told.topics.faces.data;
  drawState(told.topics.state.data);
  drawStats(told.topics.stats.data);
  $("remote").hidden = false;
  $("remote").inert = false;
  if (remote.features.has("cameras")) await drawCameras();
  if (remote.features.has("presets")) await drawPresets();
  if (remote.features.has("record")) pressed("record", (await remote.call("record.status")).recording);
}

function onevent({ topic, data }) {
  if (topic === "state") drawState(data);
  if (topic === "stats") drawStats(data);
  if (topic === "faces") { faces = data; drawFaces(); }
}

function onframe(data) {
  const view = new DataView(data);
  if (view.getUint8(0) !== 1 || view.getUint8(1) !== 1) return;
  const before = $("preview").src;
  $("preview").src = URL.createObjectURL(new Blob([new Uint8Array(data, HEADER)], { type: "image/jpeg" }));
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
  $("preview").dataset.seq = view.getBigInt64(8);
}

function say(kind, text) {
  $("connection").dataset.state = kind;
  $("connection").textContent = text;
}

const pressed = (id, on) => $(id).setAttribute("aria-pressed", String(on));

function drawState(now) {
  if (state && now.rev < state.rev) return;  // a reply that an event has overtaken
  const moved = state && state.source !== now.source;
  state = now;
  if (moved && remote?.features.has("cameras")) drawCameras();
  say(now.phase, `${now.phase} · ${now.source}`);
  $("problems").textContent = now.problems.join("\n");
  const shown = now.privacy ? "the placeholder" : now.frozen ? "a frozen picture"
    : { live: "live", placeholder: "the placeholder", freeze: "a frozen picture" }[now.showing];
  $("showing").textContent = `${shown} · ${now.size.join("×")} at ${now.fps} fps · ${now.outputs.join(", ") || "no output"}`;
  pressed("privacy", now.privacy);
  pressed("freeze", now.frozen);
  drawChain();
  drawFaces();
}

// The chain in its order, then what could be in it too.
function offered() {
  const chained = new Set(state.processors.map((p) => p.name));
  const others = infos.filter((i) => !chained.has(i.name)).map(({ name, params }) =>
    ({ name, enabled: false, params: Object.fromEntries(params.map((p) => [p.name, p.default])) }));
  return [...state.processors, ...others];
}

function drawChain() {
  const all = offered();
  if ([...drawn.keys()].join() !== all.map((p) => p.name).join()) {
    drawn.clear();
    $("chain").replaceChildren(...all.map(processor));
  }
  for (const { name, enabled, params } of all) {
    const widgets = drawn.get(name);
    widgets.enabled.checked = enabled;
    widgets.box.hidden = !enabled || !Object.keys(widgets.params).length;
    for (const [key, show] of Object.entries(widgets.params)) show(params[key]);
  }
}

function processor({ name }, index) {
  const info = infos.find((i) => i.name === name) ?? { help: "", params: [] };
  const id = `processor-${name}`;
  const enabled = make("input", { type: "checkbox", role: "switch", class: "switch", id,
    onchange: () => change("processor.set", { name, enabled: enabled.checked }) });
  const box = make("div", { class: "params" });
  const params = {};
  for (const param of info.params) {
    const [row, show] = parameter(name, param);
    box.append(row);
    params[param.name] = show;
  }
  drawn.set(name, { enabled, box, params });
  const title = make("label", { for: id, class: "name" }, ...(index < 9 ? [make("kbd", {}, String(index + 1))] : []), words(name));
  const head = make("div", { class: "head" }, make("div", {}, title, make("p", { class: "help" }, info.help)), enabled);
  return make("div", { class: "processor" }, head, box);
}

// One parameter's widget from its description, and the function that shows a value in it.
function parameter(processorName, { name, type, help = "", min, max, step, enum: choices = [], unit = "", examples = [] }) {
  const id = `param-${processorName}-${name}`;
  const send = (value) => change("processor.set", { name: processorName, params: { [name]: value } });
  const label = make("label", { for: id }, words(name));
  const hint = make("p", { class: "hint", id: `${id}-help` }, help);
  const about = { id, "aria-describedby": hint.id };
  const row = (...widgets) => make("div", { class: "param" }, label, ...widgets, ...(help ? [hint] : []));
  const idle = (input) => document.activeElement !== input || !input.dataset.busy;
  if (type === "bool") {
    const input = make("input", { ...about, type: "checkbox", onchange: () => send(input.checked) });
    return [row(input), (value) => { input.checked = value; }];
  }
  if (choices.length) {
    const input = make("select", { ...about, onchange: () => send(input.value) }, ...choices.map((c) => make("option", {}, c)));
    return [row(input), (value) => { input.value = value; }];
  }
  if (type === "str") {
    const input = make("input", { ...about, type: "text", onchange: () => send(input.value),
      ...(examples.length ? { list: `${id}-examples` } : {}) });
    const list = make("datalist", { id: `${id}-examples` }, ...examples.map((value) => make("option", { value })));
    return [row(input, list), (value) => { if (idle(input)) input.value = value; }];
  }
  const whole = type === "int", bounded = min !== undefined && max !== undefined;
  const out = make("output", { for: id });
  const written = (value) => { out.textContent = `${whole ? value : +value.toFixed(3)}${unit && ` ${unit}`}`; };
  const steps = String(step ?? (whole ? 1 : bounded ? (max - min) / 100 : "any"));
  const input = make("input", { ...about, type: bounded ? "range" : "number", step: steps,
    ...(min === undefined ? {} : { min: String(min) }), ...(max === undefined ? {} : { max: String(max) }) });
  // While a slider is moved at most one request is under way; the last position is always sent.
  let sending = false, next = null;
  const push = async (value) => {
    next = value;
    if (sending) return;
    sending = true;
    while (next !== null) { const now = next; next = null; await send(now); }
    sending = false;
    delete input.dataset.busy;
  };
  input.addEventListener("input", () => { input.dataset.busy = "1"; written(input.valueAsNumber); push(input.valueAsNumber); });
  const show = (value) => { if (!input.dataset.busy) { input.value = value; written(value); } };
  return [row(out, input), show];
}

const words = (name) => name.replaceAll("_", " ");

// Why the last change was not made: over everything, for as long as it takes to read it.
function refused(error) {
  asked = "";
  $("refusal").textContent = error ? saying(error) : "";
  clearTimeout(reading);
  if (error) reading = setTimeout(() => refused(), 10_000);
}

const saying = (error) => error.hint ? `${error.message}: ${error.hint}` : error.message;

async function change(method, params) {
  try {
    const told = await remote.call(method, params);
    refused();
    if (told?.processors && told.rev !== undefined) drawState(told);
    return told;
  } catch (error) {
    refused(error);
    if (state) drawChain();  // back to what is
    return undefined;
  }
}

function drawFaces() {
  const now = document.activeElement?.dataset?.face;
  $("faces").replaceChildren(...faces.map((face) => {
    const worn = face.name === state?.face;
    const picture = pictures.has(face.name) && pictures.get(face.name)
      ? make("img", { src: pictures.get(face.name), alt: "" })
      : make("div", { class: "blank", "aria-hidden": "true" }, face.name.slice(0, 1).toUpperCase());
    return make("button", { type: "button", role: "radio", "aria-checked": String(worn), "data-face": face.name,
      title: face.consent, onclick: () => change("face.set", { name: face.name }) }, picture, make("span", {}, face.name));
  }));
  const wearers = state?.processors.filter((p) => "face" in p.params) ?? [];
  $("worn").textContent = !wearers.length || wearers.some((p) => p.enabled) ? ""
    : `${state.face} is worn as soon as ${words(wearers[0].name)} is on.`;
  if (now) document.querySelector(`[data-face="${CSS.escape(now)}"]`)?.focus();
  for (const { name } of faces) if (!pictures.has(name)) fetchPicture(name);
}

async function fetchPicture(name) {
  pictures.set(name, "");
  if (!remote?.features.has("faces")) return;
  try {
    const { jpeg } = await remote.call("face.picture", { name });
    pictures.set(name, `data:image/jpeg;base64,${jpeg}`);
    drawFaces();
  } catch { /* a face without a picture keeps its letter */ }
}

// The cameras of now; it is asked again whenever somebody turns to the list, for one may have been plugged in.
async function drawCameras() {
  let cameras;
  try { ({ cameras } = await remote.call("camera.list")); } catch { return; }  // the list stays as it was
  const options = cameras.map(({ name, path, selected }) => make("option", { value: path, selected }, `${name} (${path})`));
  if (!cameras.some((c) => c.selected)) {
    options.unshift(make("option", { value: "", selected: true, disabled: true }, state.source));
  }
  const now = options.map((o) => [o.value, o.selected, o.textContent].join()).join("\n");
  $("camera-section").hidden = !cameras.length;
  if (now === $("camera").dataset.now) return;
  $("camera").dataset.now = now;
  $("camera").replaceChildren(...options);
}

async function drawPresets() {
  const { presets } = await remote.call("preset.list");
  $("presets").replaceChildren(...presets.map(({ name }) =>
    make("button", { type: "button", onclick: () => change("preset.apply", { name }) }, name)));
}

function drawStats({ fps, latency_ms, dropped, frames, uptime_s }) {
  const rate = history_.frames === undefined || uptime_s <= history_.at ? fps
    : (frames - history_.frames) / (uptime_s - history_.at);
  Object.assign(history_, { frames, at: uptime_s });
  line("fps", rate);
  line("latency", latency_ms.p50);
  $("drops").replaceChildren(...Object.entries(dropped).map(([cause, n]) =>
    make("div", {}, make("dt", {}, `dropped, ${cause}`), make("dd", {}, String(n)))));
}

function line(name, value) {
  const values = history_[name];
  values.push(value);
  if (values.length > HISTORY) values.shift();
  $(name).textContent = value.toFixed(1);
  const top = Math.max(...values, 1e-6) * 1.1;
  const points = values.map((v, i) => `${(HISTORY - values.length + i + 1)},${(31 - 30 * v / top).toFixed(2)}`);
  $(`${name}-line`).firstElementChild.setAttribute("points", points.join(" "));
}

$("privacy").onclick = () => change("privacy.set", { on: !state.privacy });
$("freeze").onclick = () => change("freeze.set", { on: !state.frozen });
$("record").onclick = async () => {
  const on = $("record").getAttribute("aria-pressed") !== "true";
  const told = await change(on ? "record.start" : "record.stop", {});
  if (told) pressed("record", told.recording);
};
$("camera").onfocus = () => drawCameras();
$("camera").onchange = async () => {
  if (await change("camera.select", { name: $("camera").value }) !== undefined) return;
  delete $("camera").dataset.now;  // back to what is
  await drawCameras();
};
$("save-preset").onsubmit = async (event) => {
  event.preventDefault();
  if (await change("preset.save", { name: $("preset-name").value }) === undefined) return;  // the reason is shown
  $("preset-name").value = "";
  await drawPresets();
};
$("add-face").onclick = () => { $("face-form").reset(); $("face-problem").textContent = ""; $("face-dialog").showModal(); };
$("face-cancel").onclick = () => $("face-dialog").close();
$("face-file").onchange = () => {
  const [file] = $("face-file").files;
  if (file && !$("face-name").value) $("face-name").value = file.name.replace(/\.[^.]*$/, "").slice(0, 64);
};
$("face-form").onsubmit = async (event) => {
  event.preventDefault();
  const bytes = new Uint8Array(await $("face-file").files[0].arrayBuffer());
  const fields = { name: $("face-name").value, consent: new FormData($("face-form")).get("consent"), total: bytes.length };
  $("face-progress").hidden = false;
  pictures.delete(fields.name);  // of a face of the same name; the new one is fetched when the list comes
  try {
    for (let offset = 0; offset < bytes.length; offset += CHUNK) {
      const data = btoa(String.fromCharCode(...bytes.subarray(offset, offset + CHUNK)));
      await remote.call("face.add", { ...fields, data, offset });
      $("face-progress").value = (offset + CHUNK) / bytes.length;
    }
    $("face-dialog").close();
  } catch (error) {
    $("face-problem").textContent = saying(error);
  }
  $("face-progress").hidden = true;
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || $("face-dialog").open) return;
  if (event.target.matches("input:not([type=checkbox], [type=range]), select, textarea")) return;
  const key = event.key.toLowerCase();
  const button = { p: "privacy", f: "freeze", r: "record" }[key];
  if (button && !$(button).hidden) $(button).click();
  const place = state && offered()[Number(key) - 1];
  if (place) toggleByKey(place, key);
});
// A stray key must not show a face: the last processor that hides one goes off when its key is pressed again.
function toggleByKey(place, key) {
  const hides = (p) => p.enabled && infos.find((i) => i.name === p.name)?.hides_face;
  const bare = hides(place) && state.processors.filter(hides).length === 1;
  if (!bare || asked === place.name) return change("processor.toggle", { name: place.name });
  refused({ message: `nothing else hides faces: ${key} again shows them` });
  asked = place.name;
}
// Arrow keys move between the faces, as in any group of radio buttons.
$("faces").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = [...$("faces").children];
  all[(all.indexOf(document.activeElement) + step + all.length) % all.length]?.focus();
});

run();
