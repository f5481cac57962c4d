// Suggestions below a field for package names: an ARIA combobox with a listbox. Forms work without.
// `data-suggest` is the address that answers them. With `data-open` a suggestion leads to a package;
// without, it is put in place of the last of several names with commas between.
(function () {
  "use strict";

  const DELAY = 120;
  const MOST = 8;

  function setUp(field, number) {
    const list = document.createElement("ul");
    const told = document.createElement("p");
    let active = -1;
    let timer = null;
    let request = null;

    list.id = `suggestions-${number}`;
    list.className = "suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Packages");
    told.className = "visually-hidden";
    told.setAttribute("role", "status");
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    field.setAttribute("aria-expanded", "false");
    field.after(list, told);

    function options() {
      return [...list.children];
    }

    function close() {
      clearTimeout(timer);
      request?.abort();
      list.hidden = true;
      list.replaceChildren();
      field.setAttribute("aria-expanded", "false");
      choose(-1);
    }

    function choose(index) {
      active = index;
      options().forEach((option, place) => {
        option.setAttribute("aria-selected", String(place === index));
      });
      if (index < 0) {
        field.removeAttribute("aria-activedescendant");
      } else {
        const option = list.children[index];
        field.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      }
    }

    // What is typed so far: in a field for several names, what follows the last comma.
    function typed() {
      return field.value.split(field.dataset.open ? /$/ : ",").pop().trim();
    }

    function take(name) {
      close();
      told.textContent = "";
      if (field.dataset.open) {
        location.assign(field.dataset.open.replace("__all__", encodeURIComponent(name)));
        return;
      }
      const before = field.value.split(",").slice(0, -1).map((each) => each.trim());
      field.value = [...before, name].join(", ") + ", ";
      field.focus();
    }

    function option(found, place) {
      const item = document.createElement("li");
      const name = document.createElement("span");
      const downloads = document.createElement("span");
      item.id = `${list.id}-${place}`;
      item.dataset.name = found.package;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      name.textContent = found.package;
      downloads.className = "quiet small";
      downloads.textContent = new Intl.NumberFormat("en", { notation: "compact" }).format(
        found.last_month,
      );
      downloads.title = "Downloads in the last month";
      item.append(name, " ", downloads);
      // Before the field loses its focus, which would close the list.
      item.addEventListener("pointerdown", (event) => event.preventDefault());
      item.addEventListener("click", () => take(found.package));
      return item;
    }

    function show(found) {
      list.replaceChildren(...found.map(option));
      list.hidden = !found.length;
      field.setAttribute("aria-expanded", String(found.length > 0));
      choose(-1);
      told.textContent = found.length
        ? `${found.length} package${found.length > 1 ? "s" : ""}, use the arrow keys to choose.`
        : "No package has a name like this.";
    }

    async function suggest() {
      const text = typed();
      request?.abort();
      if (!text) {
        close();
        return;
      }
      request = new AbortController();
      const { signal } = request;
      const address = new URL(field.dataset.suggest, location);
      address.searchParams.set("q", text);
      address.searchParams.set("limit", MOST);
      try {
        const response = await fetch(address, { signal });
        const found = response.ok ? (await response.json()).data : [];
        if (!signal.aborted && document.activeElement === field && typed() === text) {
          show(found);
        }
      } catch {
        // Typed on, or the site can't be reached: the form is still there.
      }
    }

    function move(step) {
      const count = list.children.length;
      // From the field itself, which is between the last suggestion and the first.
      choose(((active + 1 + step + count + 1) % (count + 1)) - 1);
    }

    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(suggest, DELAY);
    });
    field.addEventListener("blur", close);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !list.hidden) {
        event.preventDefault();
        close();
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (list.hidden) {
          suggest();
        } else {
          move(event.key === "ArrowDown" ? 1 : -1);
        }
      } else if (event.key === "Enter" && active >= 0) {
        event.preventDefault();
        take(list.children[active].dataset.name);
      }
    });
  }

  document.querySelectorAll("[data-suggest]").forEach(setUp);
})();
