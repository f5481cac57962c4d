// What every page gets: the theme switch, sortable tables, tabs and copy buttons.
// Pages are complete without it; each part looks for its elements and leaves others alone.
(function () {
  "use strict";

  const root = document.documentElement;

  // --- Theme: a choice that equals the system's preference is forgotten, and follows it again.

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  function currentTheme() {
    return root.dataset.theme || (prefersDark.matches ? "dark" : "light");
  }

  function remember(theme) {
    try {
      if (theme) {
        localStorage.setItem("theme", theme);
      } else {
        localStorage.removeItem("theme");
      }
    } catch {
      // Nothing is kept here: the choice holds for this page.
    }
  }

  function setTheme(theme) {
    const preferred = prefersDark.matches ? "dark" : "light";
    if (theme === preferred) {
      delete root.dataset.theme;
      remember(null);
    } else {
      root.dataset.theme = theme;
      remember(theme);
    }
    announceTheme();
  }

  function announceTheme() {
    const theme = currentTheme();
    const other = theme === "dark" ? "light" : "dark";
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.setAttribute("aria-label", `Switch to the ${other} theme`);
      button.title = `Switch to the ${other} theme`;
    }
    document.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  }

  function setUpTheme() {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.addEventListener("click", () => setTheme(currentTheme() === "dark" ? "light" : "dark"));
    }
    prefersDark.addEventListener("change", announceTheme);
    announceTheme();
  }

  // --- Tables: a heading with `data-sort` becomes a button that sorts by its column.

  function cellText(row, column) {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.textContent.trim();
  }

  // As text, so that 3.9 goes before 3.12, which as numbers it would not.
  function compareTexts(one, other) {
    return one.localeCompare(other, "en", { numeric: true });
  }

  function compareNumbers(one, other) {
    return Number(one.replaceAll(",", "")) - Number(other.replaceAll(",", ""));
  }

  function sortBy(table, heading) {
    const column = heading.cellIndex;
    const isNumber = heading.dataset.sort === "number";
    const compare = isNumber ? compareNumbers : compareTexts;
    const descending = heading.getAttribute("aria-sort")
      ? heading.getAttribute("aria-sort") === "ascending"
      : isNumber;
    for (const other of heading.parentElement.cells) {
      other.removeAttribute("aria-sort");
    }
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [cellText(row, column), row]);
    rows.sort((one, other) => (descending ? -1 : 1) * compare(one[0], other[0]));
    body.append(...rows.map(([, row]) => row));
  }

  function setUpTable(table) {
    for (const heading of table.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(table, heading));
      heading.append(button);
    }
  }

  // --- Tabs: `data-tabs` holds sections with a heading each; one at a time is shown.

  function setUpTabs(container, number) {
    const panels = [...container.querySelectorAll(":scope > section")];
    const list = document.createElement("div");
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", container.dataset.tabs);
    list.className = "tabs";
    const tabs = panels.map((panel, index) => {
      const heading = panel.querySelector("h2, h3, h4");
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = `tab-${number}-${index}`;
      panel.id = panel.id || `panel-${number}-${index}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      tab.textContent = heading.textContent;
      heading.hidden = true;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      tab.addEventListener("click", () => select(index));
      return tab;
    });

    function select(chosen) {
      tabs.forEach((tab, index) => {
        tab.setAttribute("aria-selected", String(index === chosen));
        tab.tabIndex = index === chosen ? 0 : -1;
        panels[index].hidden = index !== chosen;
      });
    }

    list.addEventListener("keydown", (event) => {
      const current = tabs.indexOf(document.activeElement);
      const next = {
        ArrowRight: (current + 1) % tabs.length,
        ArrowLeft: (current - 1 + tabs.length) % tabs.length,
        Home: 0,
        End: tabs.length - 1,
      }[event.key];
      if (next !== undefined) {
        event.preventDefault();
        select(next);
        tabs[next].focus();
      }
    });
    list.append(...tabs);
    container.prepend(list);
    select(0);
  }

  // --- Copy buttons: `data-copy` names the element whose text is copied.

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => {
      button.textContent = said;
    }, 2000);
  }

  function setUpCopy(button) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }

  setUpTheme();
  document.querySelectorAll("table").forEach(setUpTable);
  document.querySelectorAll("[data-tabs]").forEach(setUpTabs);
  document.querySelectorAll("[data-copy]").forEach(setUpCopy);
})();
