// A monitor's charts: a part is chosen by dragging, they go on as results come, in the reader's own time zone.
"use strict";

(() => {
  const SMALLEST = 6; // pixels: less is a click
  let drag = null;
  let refreshed = Date.now();

  const stamp = (seconds) => new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
  const clamp = (value) => Math.min(Math.max(value, 0), 1);

  function share(svg, event) {
    const box = svg.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width);
  }

  function draw() {
    const { svg, mark, from, to } = drag;
    const width = svg.viewBox.baseVal.width;
    mark.setAttribute("x", Math.min(from, to) * width);
    mark.setAttribute("width", Math.abs(to - from) * width);
  }

  function begin(event) {
    const svg = event.target.closest && event.target.closest("svg.plot[data-origin]");
    if (!svg || event.button !== 0 || !event.isPrimary) return;
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    mark.setAttribute("class", "brush");
    mark.setAttribute("y", 0);
    mark.setAttribute("height", svg.viewBox.baseVal.height);
    const from = share(svg, event);
    drag = { svg, mark, from, to: from, x: event.clientX };
    svg.append(mark);
    svg.setPointerCapture(event.pointerId);
    if (event.pointerType === "mouse") event.preventDefault(); // no text is marked meanwhile
  }

  function move(event) {
    if (!drag) return;
    drag.to = share(drag.svg, event);
    draw();
  }

  function end(event) {
    if (!drag) return;
    const { svg, mark, from, to, x } = drag;
    drag = null;
    mark.remove();
    if (event.type !== "pointerup" || Math.abs(event.clientX - x) < SMALLEST) return;
    const origin = Number(svg.dataset.origin);
    const length = Number(svg.dataset.ending) - origin;
    zoom(origin + Math.min(from, to) * length, origin + Math.max(from, to) * length);
  }

  function zoom(since, until) {
    const chart = document.getElementById("chart");
    const link = chart.querySelector("a.zoom");
    const query = new URLSearchParams({ from: stamp(since), to: stamp(until) });
    const zone = new URLSearchParams(location.search).get("zone");
    if (zone) query.set("zone", zone);
    link.setAttribute("hx-push-url", `${chart.dataset.page}?${query}`);
    htmx.ajax("GET", `${chart.dataset.page}/chart?${query}`, { source: link, target: "#chart", swap: "outerHTML" });
  }

  // --- they go on: a chart that somebody reads, or drags over, stays as it is

  function goOn() {
    const chart = document.getElementById("chart");
    const every = chart && Number(chart.dataset.live);
    if (!every || drag || document.hidden || Date.now() - refreshed < every * 1000) return;
    refreshed = Date.now();
    htmx.trigger(chart, "fresh");
  }

  // --- the reader's zone: kept for the server, and asked for again where it did not know it yet

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const told = new Set();
  if (zone) document.cookie = `zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;

  function tellZone() {
    const page = document.getElementById("page");
    if (!zone || !page || page.dataset.ownZone !== undefined) return;
    for (const part of page.querySelectorAll("[data-zone]")) {
      if (part.tagName === "INPUT" || part.dataset.zone === zone || told.has(part.id)) continue;
      told.add(part.id);
      htmx.trigger(part, "zone");
    }
  }

  function hint() {
    for (const words of document.querySelectorAll(".brush-hint")) words.hidden = false;
  }

  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") end(event); });
  document.addEventListener("click", (event) => {
    const day = event.target.closest && event.target.closest("svg.days .hit");
    const link = day && document.getElementById(`day-${day.dataset.day}`);
    if (link) link.click();
  });
  document.addEventListener("htmx:sseMessage", goOn);
  document.addEventListener("DOMContentLoaded", () => { hint(); tellZone(); });
  document.addEventListener("htmx:afterSettle", hint);
})();
