// The page SQL: Ctrl + Enter asks.
"use strict";

document.addEventListener("keydown", (event) => {
  const area = event.target.closest && event.target.closest("#sql");
  if (area && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    area.form.requestSubmit();
  }
});

document.addEventListener("DOMContentLoaded", () => {
  const answer = document.querySelector("section.answer, #sql-error");
  if (answer) answer.scrollIntoView({ block: "nearest" });
});
