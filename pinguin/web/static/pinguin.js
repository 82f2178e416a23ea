// The live parts: themes, times, tooltips, and what to do when events do not come through.
"use strict";

const THEMES = ["system", "light", "dark"];

function theme() {
  return document.documentElement.dataset.theme || "system";
}

function labelTheme(button) {
  const words = { system: "as the system has them", light: "light", dark: "dark" };
  button.setAttribute("aria-label", `Colours: ${words[theme()]}`);
  button.title = `Colours: ${words[theme()]}`;
}

function startTheme() {
  const button = document.getElementById("theme");
  button.hidden = false;
  labelTheme(button);
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    if (next === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", next);
    labelTheme(button);
  });
}

// --- times: relative ones go on, exact ones are in the reader's own time zone

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const pad = (number) => String(number).padStart(2, "0");

// Making a formatter costs a millisecond, and a page has hundreds of times: one, asked once for each half hour.
const ZONE = new Intl.DateTimeFormat("en", { timeZoneName: "short" });
const HALF_HOUR = 1800000;
const zones = new Map();

function zone(moment) {
  const half = Math.floor(moment / HALF_HOUR);
  if (!zones.has(half)) zones.set(half, ZONE.formatToParts(moment).find((each) => each.type === "timeZoneName").value);
  return zones.get(half);
}

function exact(moment) {
  const date = `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())}`;
  return `${date} ${pad(moment.getHours())}:${pad(moment.getMinutes())}:${pad(moment.getSeconds())} ${zone(moment)}`;
}

function largest(seconds) {
  const [size, unit] = UNITS.find(([size]) => seconds >= size) || [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

function duration(seconds) {
  const first = UNITS.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [size, unit] = UNITS[first];
  const head = `${Math.floor(seconds / size)} ${unit}`;
  if (first === UNITS.length - 1) return head;
  const [smaller, name] = UNITS[first + 1];
  const rest = Math.floor((seconds % size) / smaller);
  return rest ? `${head} ${rest} ${name}` : head;
}

function timeWords(kind, moment) {
  const seconds = Math.max(0, Math.round((Date.now() - moment) / 1000));
  if (kind === "ago") return seconds < 5 ? "just now" : `${largest(seconds)} ago`;
  if (kind === "since") return duration(seconds);
  if (kind === "tick-time") return `${pad(moment.getHours())}:${pad(moment.getMinutes())}`;
  if (kind === "tick-date") return moment.toLocaleDateString("en", { day: "numeric", month: "short" }).split(" ").reverse().join(" ");
  return exact(moment);
}

function tellTimes(root) {
  for (const element of root.querySelectorAll("time[data-time]")) {
    const moment = new Date(element.dateTime);
    const words = timeWords(element.dataset.time, moment);
    if (element.textContent !== words) element.textContent = words;
    const title = exact(moment);
    if (element.title !== title) element.title = title;
  }
}

// Once before the page is painted again, however many fragments came until then: of a list they come by the hundred.
function afterNews(act) {
  let awaited = false;
  const soon = () => {
    if (awaited) return;
    awaited = true;
    requestAnimationFrame(() => { awaited = false; act(); });
  };
  document.addEventListener("htmx:afterSettle", soon);
  document.addEventListener("htmx:oobAfterSwap", soon);
}

// --- tooltips: what <title> says, at once, and for the mark that is nearest

const STAMP = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/g;

function words(mark) {
  const title = mark.querySelector("title");
  if (title) {
    mark.dataset.tip = title.textContent;
    title.remove();
  }
  const text = mark.dataset.tip || "";
  return text.replace(STAMP, (stamp) => exact(new Date(stamp.replace(" UTC", "Z").replace(" ", "T"))));
}

function markAt(svg, x, y) {
  const box = svg.getBoundingClientRect();
  const share = (x - box.left) / box.width;
  if (svg.matches(".beats")) return svg.children[Math.min(svg.children.length - 1, Math.floor(share * svg.children.length))];
  const across = share * svg.viewBox.baseVal.width;
  const down = ((y - box.top) / box.height) * svg.viewBox.baseVal.height;
  const within = (place, start, length) => place >= start.baseVal.value && place <= start.baseVal.value + length.baseVal.value;
  const covers = (mark) => within(across, mark.x, mark.width) && (!svg.matches(".heat") || within(down, mark.y, mark.height));
  const marks = svg.querySelectorAll(svg.matches(".plot") ? ".hit" : "rect");
  return [...marks].find(covers) || [...svg.querySelectorAll(".shade")].find(covers);
}

function startTips() {
  const tip = document.getElementById("tip");
  let marked = null;
  const hide = () => {
    tip.hidden = true;
    if (marked) marked.classList.remove("on");
    marked = null;
  };
  const show = (event) => {
    const svg = event.target.closest && event.target.closest("svg.beats, svg.plot, svg.phases");
    const mark = svg && markAt(svg, event.clientX, event.clientY);
    const text = mark && words(mark);
    if (!text) return hide();
    if (marked && marked !== mark) marked.classList.remove("on");
    marked = mark;
    mark.classList.add("on");
    tip.replaceChildren(...text.split(" · ").map((line) => Object.assign(document.createElement("span"), { textContent: line })));
    tip.hidden = false;
    const left = Math.min(Math.max(8, event.clientX - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
    const top = svg.matches(".plot") ? event.clientY - tip.offsetHeight - 16 : svg.getBoundingClientRect().top - tip.offsetHeight - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.max(8, top)}px`;
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("scroll", hide, { passive: true });
  document.addEventListener("pointerleave", hide);
}

// --- live or not

let connected = false;

function sayLive() {
  const live = document.getElementById("live");
  live.hidden = !document.querySelector("[sse-connect]");
  live.classList.toggle("off", !connected);
  const text = connected ? "Live" : "Every 15 s";
  if (live.lastElementChild.textContent !== text) live.lastElementChild.textContent = text;
}

// After a break, and with each poll, results come again that the page shows already.
function onlyNew(event) {
  const { target, fragment } = event.detail;
  if (target.id !== "lines") return;
  const there = new Set([...target.rows].map((row) => row.dataset.check));
  for (const row of fragment.querySelectorAll("tr[data-check]")) if (there.has(row.dataset.check)) row.remove();
}

// A monitor that somebody deleted is not shown on as it was.
function gone(event) {
  const { xhr, target } = event.detail;
  if (xhr.status !== 404 || target.id !== "page") return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
  event.detail.selectOverride = ".fault";
}

// Whoever goes back twice asks twice, and the answers come in any order: the first one is no longer wanted.
let restoring = null;
function restore(event) {
  if (restoring) restoring.abort();
  restoring = event.detail.xhr;
}

function startLive() {
  document.addEventListener("htmx:historyCacheMiss", restore);
  document.addEventListener("htmx:oobBeforeSwap", onlyNew);
  document.addEventListener("htmx:beforeSwap", gone);
  document.addEventListener("htmx:sseOpen", () => { connected = true; sayLive(); });
  for (const name of ["htmx:sseError", "htmx:sseClose"]) {
    document.addEventListener(name, () => { connected = false; setTimeout(sayLive, 3000); });
  }
  setInterval(() => {
    if (connected || document.hidden) return;
    for (const element of document.querySelectorAll('[hx-trigger="poll"]')) htmx.trigger(element, "poll");
  }, 15000);
  // A chart that somebody reads stays as it is.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const chart = event.target.closest && event.target.matches("#chart") && event.target;
    const cause = event.detail.requestConfig.triggeringEvent;
    if (!chart || (cause && cause.type === "zone")) return;
    if (chart.querySelector("details[open]") || chart.matches(":hover")) event.preventDefault();
  });
  afterNews(() => tellTimes(document));
  document.addEventListener("htmx:afterSettle", () => {
    const lines = document.getElementById("lines");
    while (lines && lines.children.length > 200) lines.lastElementChild.remove();
  });
}

// --- small helps: the reader's own zone in forms, and one box that ticks all

function helpForms(root) {
  for (const field of root.querySelectorAll("input[data-zone]")) {
    if (field.value === field.defaultValue) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || field.defaultValue;
  }
  for (const label of root.querySelectorAll("label[data-all]")) label.hidden = false;
}

function startForms() {
  helpForms(document);
  afterNews(() => helpForms(document));
  document.addEventListener("change", (event) => {
    if (!event.target.closest("label[data-all]")) return;
    for (const box of event.target.form.querySelectorAll('.pick input[type="checkbox"]')) box.checked = event.target.checked;
  });
  // Enter in a search within a form finds, and does not save.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("form[method=post] input[type=search]")) event.preventDefault();
  });
}

// --- texts to copy: where the browser lets us, else they are marked

function showCopies(root) {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  } catch {
    getSelection().selectAllChildren(source);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  startTheme();
  showCopies(document);
  afterNews(() => showCopies(document));
  startTips();
  startLive();
  startForms();
  tellTimes(document);
  setTimeout(sayLive, 400);
  setInterval(() => { if (!document.hidden) tellTimes(document); }, 5000);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
});
