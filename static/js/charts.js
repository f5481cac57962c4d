// The charts of a package's page. Each is drawn when it comes near to the screen, from the figure
// that the site's API gives for what is chosen; a figure is fetched once. What is chosen stands in
// the page's address, as `?system=bar-90-mean-log`, and so do the categories that were hidden, or
// those that are left where these are fewer: `system.hide=Linux`, `system.only=Darwin`.
(function () {
  "use strict";

  const root = document.documentElement;
  const plotlyAddress = document.currentScript.dataset.plotly;
  const SIZE = { width: "900", height: "420" };
  const MODES = {
    line: {},
    bar: { chart: "bar" },
    share: { chart: "bar", share: "1" },
  };
  const NEAR = "300px";
  const NARROW = 560;
  const THIN = 1.25;
  const LETTER = 7;
  const DIGIT = 8;
  const RIGHT = 28;
  const CONFIG = { displayModeBar: false, responsive: true };
  const PLAIN = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&#36;": "$" };

  // --- What is chosen: a form's fields, and words in the address

  function readAddress(dimension) {
    const asked = new URL(location).searchParams;
    const words = (asked.get(dimension) || "").split("-");
    return {
      mode: words.find((word) => word in MODES) || "line",
      days: words.find((word) => ["30", "90", "180"].includes(word)) || "",
      mean: words.includes("mean"),
      log: words.includes("log"),
      hidden: new Set(asked.getAll(`${dimension}.hide`)),
      only: new Set(asked.getAll(`${dimension}.only`)),
    };
  }

  function writeAddress(dimension, chosen) {
    const address = new URL(location);
    const words = [
      chosen.mode === "line" ? "" : chosen.mode,
      chosen.days,
      chosen.mean ? "mean" : "",
      chosen.log ? "log" : "",
    ].filter(Boolean);
    address.searchParams.delete(dimension);
    address.searchParams.delete(`${dimension}.hide`);
    address.searchParams.delete(`${dimension}.only`);
    if (words.length) {
      address.searchParams.set(dimension, words.join("-"));
    }
    for (const name of chosen.hidden) {
      address.searchParams.append(`${dimension}.hide`, name);
    }
    for (const name of chosen.only) {
      address.searchParams.append(`${dimension}.only`, name);
    }
    history.replaceState(history.state, "", address);
  }

  // A comparison's form has only the scale: the rest is chosen by the page's own form.
  function fillForm({ elements }, chosen) {
    for (const name of ["mode", "days"].filter((name) => elements[name])) {
      elements[name].value = chosen[name];
    }
    for (const name of ["mean", "log"].filter((name) => elements[name])) {
      elements[name].checked = chosen[name];
    }
  }

  function readForm({ elements }, { hidden, only }) {
    return {
      mode: elements.mode?.value ?? "line",
      days: elements.days?.value ?? "",
      mean: elements.mean?.checked ?? false,
      log: elements.log.checked,
      hidden,
      only,
    };
  }

  function isHidden(name, { hidden, only }) {
    return only.size ? !only.has(name) : hidden.has(name);
  }

  // --- What the API is asked for

  function asked(base, chosen, more) {
    const parameters = new URLSearchParams(MODES[chosen.mode]);
    if (chosen.days) {
      parameters.set("days", chosen.days);
    }
    if (chosen.mean) {
      parameters.set("smooth", "7");
    }
    for (const [name, value] of Object.entries(more)) {
      parameters.set(name, value);
    }
    const text = parameters.toString();
    return text ? `${base}${base.includes("?") ? "&" : "?"}${text}` : base;
  }

  const figures = new Map();

  async function fetchFigure(address) {
    const response = await fetch(address);
    const document = await response.json();
    if (!response.ok) {
      throw new Error(document.error.message);
    }
    return document;
  }

  function figureAt(address) {
    if (!figures.has(address)) {
      const figure = fetchFigure(address);
      figure.catch(() => figures.delete(address));
      figures.set(address, figure);
    }
    return figures.get(address);
  }

  let loading = null;

  function loadPlotly() {
    loading ||= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = plotlyAddress;
      script.addEventListener("load", () => resolve(window.Plotly));
      script.addEventListener("error", () => {
        loading = null;
        reject(new Error("The charts' script could not be loaded."));
      });
      document.head.append(script);
    });
    return loading;
  }

  // One after the other, each once the browser has nothing else to do, so that it can scroll on.
  let queue = Promise.resolve();

  function inTurn(job) {
    const idle = (resolve) =>
      window.requestIdleCallback ? requestIdleCallback(resolve, { timeout: 300 }) : setTimeout(resolve);
    const done = queue.then(() => new Promise(idle)).then(job);
    queue = done.catch(() => {});
    return done;
  }

  function theme() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return root.dataset.theme || (dark ? "dark" : "light");
  }

  // --- Drawing

  function short(value) {
    const [size, letter] = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]].find(
      ([least]) => value >= least
    ) || [1, ""];
    return `${value / size}${letter}`;
  }

  // Round steps up to the largest value, as `round_steps` in ticks.py makes them.
  function linear(axis, drawn, stacked) {
    const values = stacked && drawn[0]?.type === "bar" ? sums(drawn) : drawn.flatMap(({ y }) => y);
    const peak = Math.max(0, ...values);
    const rough = Math.max(peak / 5, axis.hoverformat === ",.0f" ? 1 : 0.001);
    const magnitude = 10 ** Math.floor(Math.log10(rough));
    const steps = [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude);
    const step = steps.find((each) => each > rough * (1 - 1e-9) && (rough < 1 || each % 1 === 0));
    const count = Math.max(1, Math.ceil(peak / step - 1e-9));
    axis.tickvals = Array.from({ length: count + 1 }, (_, at) => Number((at * step).toFixed(9)));
    axis.range = [0, axis.tickvals[count]];
    const written = axis.range[1] < 1e4 ? (value) => value.toLocaleString("en") : short;
    axis.ticktext = axis.tickvals.map((value) => `${written(value)}${axis.ticksuffix} `);
  }

  function sums(traces) {
    return (traces[0]?.y ?? []).map((_, day) => traces.reduce((sum, { y }) => sum + y[day], 0));
  }

  // Powers of ten, and steps between where there are few of them.
  function logarithmic(axis, drawn) {
    const counts = drawn.flatMap(({ y }) => y);
    const positive = counts.filter((count) => count > 0);
    const decades = Math.log10(Math.max(...positive) / Math.min(...positive));
    const steps = decades < 0.8 ? [1, 1.2, 1.5, 2, 3, 4, 6, 8] : decades < 2.5 ? [1, 2, 5] : [1];
    delete axis.range;
    axis.type = "log";
    axis.tickvals = [];
    for (let power = -4; power <= 15; power++) {
      for (const step of steps) {
        axis.tickvals.push(Number(`${step}e${power}`));
      }
    }
    axis.ticktext = axis.tickvals.map((value) => `${short(value)}${axis.ticksuffix} `);
  }

  function isOfReleases({ yaxis }) {
    return yaxis === "y2";
  }

  // Room for what is written, which plotly.js would find out by drawing everything twice.
  function fitMargins(layout, top) {
    const longest = Math.max(...layout.yaxis.ticktext.map((text) => text.trim().length));
    layout.xaxis.automargin = layout.yaxis.automargin = false;
    layout.margin = { l: Math.max(36, longest * DIGIT + 10), r: RIGHT, t: top, b: 36 };
  }

  // The texts of the releases, as many as there is room for; the newest go first.
  function labelReleases(marks, range, room) {
    const [first, last] = range.map((day) => Date.parse(day.slice(0, 10)));
    let free = Infinity;
    for (let at = marks.x.length - 2; at > 0; at -= 3) {
      const wide = LETTER * (marks.customdata[at].length + 1);
      const place = ((Date.parse(marks.x[at]) - first) / (last - first)) * room;
      const side = place + wide / 2 > room ? "left" : place < wide / 2 ? "right" : "center";
      const left = place - { left: wide, right: 0, center: wide / 2 }[side];
      const fits = left + wide <= free;
      marks.text[at] = fits ? marks.customdata[at] : "";
      marks.textposition[at] = `top ${side}`;
      free = fits ? left : free;
    }
  }

  // The page has the heading and the colour behind; the axis follows what is hidden.
  function adapted(figure, chosen, width) {
    const { data, layout } = structuredClone(figure);
    const narrow = width < NARROW;
    const releases = data.find(isOfReleases);
    for (const trace of data) {
      trace.visible = isHidden(trace.name, chosen) ? "legendonly" : true;
      if (trace.line && narrow) {
        trace.line.width = THIN;
      }
    }
    delete layout.width;
    delete layout.height;
    delete layout.title;
    layout.autosize = true;
    layout.paper_bgcolor = getComputedStyle(document.body).backgroundColor;
    layout.showlegend = false;
    layout.xaxis.nticks = narrow ? 4 : 8;
    const drawn = data.filter((trace) => trace.visible === true && !isOfReleases(trace));
    if (chosen.log) {
      logarithmic(layout.yaxis, drawn);
    } else if (chosen.hidden.size || chosen.only.size) {
      linear(layout.yaxis, drawn, layout.barmode === "stack");
    }
    fitMargins(layout, 12 + (layout.annotations.length ? 20 : 0) + (releases ? 16 : 0));
    if (releases) {
      labelReleases(releases, layout.xaxis.range, width - layout.margin.l - RIGHT);
    }
    return { data, layout };
  }

  function chart(element) {
    const base = element.dataset.chart;
    const dimension = element.dataset.dimension;
    const form = element.querySelector("form");
    const plot = element.querySelector(".plot");
    const message = element.querySelector(".plot-message");
    let chosen = readAddress(dimension);
    let turn = 0;
    let traces = [];
    const legend = plot.parentElement.appendChild(document.createElement("ul"));
    legend.className = "keys";
    legend.setAttribute("aria-label", "Shown in the chart");

    function names() {
      return traces.map(({ name }) => name);
    }

    function shown() {
      return names().filter((name) => !isHidden(name, chosen));
    }

    // What takes fewer words stands in the address.
    function show(wanted) {
      const others = names().filter((name) => !wanted.includes(name));
      const fewer = wanted.length && wanted.length < others.length;
      chosen = { ...chosen, hidden: new Set(fewer ? [] : others), only: new Set(fewer ? wanted : []) };
      choose();
    }

    function toggle(name) {
      const now = shown();
      show(now.includes(name) ? now.filter((each) => each !== name) : [...now, name]);
    }

    function isAlone(name) {
      return shown().join() === name;
    }

    function key(name) {
      const item = document.createElement("li");
      const [swatch, toggler, only] = ["span", "button", "button"].map((tag) =>
        document.createElement(tag)
      );
      toggler.type = only.type = "button";
      only.className = "only";
      toggler.append(swatch, name.replace(/&(amp|lt|gt|#36);/g, (entity) => PLAIN[entity]));
      toggler.addEventListener("click", () => toggle(name));
      only.addEventListener("click", () => show(isAlone(name) ? names() : [name]));
      item.append(toggler, only);
      item.dataset.name = name;
      return item;
    }

    // Each category is a button that hides it, with one beside it that leaves it alone. They stay
    // the same elements while the categories do, and keep the focus.
    function retellLegend() {
      if ([...legend.children].map(({ dataset }) => dataset.name).join() !== names().join()) {
        legend.replaceChildren(...names().map(key));
      }
      traces.forEach(({ name, line, marker }, at) => {
        const [toggler, only] = legend.children[at].children;
        toggler.setAttribute("aria-pressed", String(!isHidden(name, chosen)));
        toggler.firstChild.style.borderTopColor = line?.color ?? marker.color;
        toggler.firstChild.style.borderTopStyle = line?.dash === "dot" ? "dotted" : "solid";
        only.textContent = isAlone(name) ? "all" : "only";
        only.setAttribute("aria-label", isAlone(name) ? "Show all" : `Only ${toggler.textContent}`);
      });
      legend.hidden = traces.length < 2;
    }

    async function drawNow(plotly, figure) {
      const { data, layout } = adapted(figure, chosen, plot.clientWidth);
      traces = data.filter(({ name }) => name);
      retellLegend();
      await plotly.react(plot, data, layout, CONFIG);
      message.textContent = "";
    }

    async function draw() {
      const mine = ++turn;
      plot.setAttribute("aria-busy", "true");
      const address = asked(base, chosen, { theme: theme(), ...SIZE, format: "plotly" });
      try {
        const [plotly, figure] = await Promise.all([loadPlotly(), figureAt(address)]);
        await inTurn(() => mine === turn && drawNow(plotly, figure));
      } catch (error) {
        if (mine === turn) {
          message.textContent = `The chart can't be drawn now. ${error.message}`;
        }
      }
      if (mine === turn) {
        plot.setAttribute("aria-busy", "false");
      }
    }

    // The links and the snippets are for the same chart.
    function retell() {
      for (const link of element.querySelectorAll("[data-format]")) {
        link.href = asked(base, chosen, { format: link.dataset.format });
      }
      for (const code of element.querySelectorAll("[data-snippet]")) {
        const address = new URL(base, code.dataset.site).href;
        code.textContent = code.dataset.snippet
          .replaceAll("{light}", () => asked(address, chosen, {}))
          .replaceAll("{dark}", () => asked(address, chosen, { theme: "dark" }));
      }
    }

    function choose() {
      writeAddress(dimension, chosen);
      retell();
      draw();
    }

    fillForm(form, chosen);
    retell();
    form.addEventListener("change", () => {
      chosen = readForm(form, chosen);
      choose();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    return draw;
  }

  const drawn = new Set();
  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) {
          near.unobserve(target);
          drawn.add(charts.get(target));
          charts.get(target)();
        }
      }
    },
    { rootMargin: NEAR }
  );
  const charts = new Map();
  for (const element of document.querySelectorAll("[data-chart]")) {
    charts.set(element, chart(element));
    near.observe(element);
  }
  document.addEventListener("themechange", () => drawn.forEach((draw) => draw()));
})();
