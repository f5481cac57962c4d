// Makes the API page's forms ask the API, and shows what it answers.
(function () {
  "use strict";

  const LONGEST = 4000;

  function address(form) {
    let path = form.dataset.try;
    const query = new URLSearchParams();
    for (const field of form.querySelectorAll("[data-in]")) {
      if (field.dataset.in === "path") {
        path = path.replace(`{${field.name}}`, encodeURIComponent(field.value.trim()));
      } else if (field.value !== "") {
        query.set(field.name, field.value);
      }
    }
    return query.size ? `${path}?${query}` : path;
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    made.textContent = text;
    made.className = className || "";
    return made;
  }

  async function body(response) {
    const type = response.headers.get("Content-Type") || "";
    if (type.startsWith("image/")) {
      const picture = document.createElement("img");
      picture.src = response.url;
      picture.alt = "The answer";
      return picture;
    }
    let text = await response.text();
    if (type.startsWith("application/json")) {
      text = JSON.stringify(JSON.parse(text), null, 2);
    }
    const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} characters more` : text;
    const block = element("pre", shown);
    block.tabIndex = 0;
    return block;
  }

  async function ask(form) {
    const answer = form.querySelector("[data-try-answer]");
    const path = address(form);
    const began = performance.now();
    answer.hidden = false;
    answer.replaceChildren(element("p", "Asking …", "quiet"));
    try {
      const response = await fetch(path);
      const shown = await body(response);
      const milliseconds = Math.round(performance.now() - began);
      const status = `${response.status} ${response.statusText} · ${milliseconds} ms`;
      answer.replaceChildren(element("p", status, response.ok ? "up" : "down"), shown);
    } catch {
      answer.replaceChildren(element("p", "The site can't be reached.", "down"));
    }
  }

  for (const form of document.querySelectorAll("form[data-try]")) {
    const link = form.querySelector("[data-try-link]");
    form.addEventListener("input", () => {
      link.href = address(form);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(form);
    });
  }
})();
