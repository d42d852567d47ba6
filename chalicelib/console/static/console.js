// What HTML cannot do by itself: colours before the first paint, dialogs, tooltips, copying, keys. No rule stands here.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  if (!("chosen" in root.dataset) && matchMedia("(prefers-color-scheme: dark)").matches) root.dataset.bsTheme = "dark";

  const $ = (selector, inside = document) => inside.querySelector(selector);
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

  const say = (text) => {
    const line = document.createElement("p");
    line.className = "said";
    line.textContent = text;
    $("#said").replaceChildren(line);
  };
  const complain = (text) => {
    const line = document.createElement("div");
    line.className = "alert";
    line.innerHTML = '<div></div><button type="button" class="btn btn-icon" data-dismiss aria-label="Dismiss">×</button>';
    line.firstChild.textContent = text;
    $("#alerts").append(line);
  };

  // Dialogs: opened when they are filled, emptied when they close.
  const fillDialog = (dialog) => {
    if (!dialog.open) dialog.showModal();
    const first = $("[autofocus], [aria-invalid=true]", dialog) || $(".form input:not([type=hidden]), .form select, .form textarea, button", dialog);
    if (first) first.focus();
  };
  document.addEventListener("htmx:after:swap", (event) => {
    const dialog = $("#dialog");
    const target = event.detail.ctx.target;
    if (dialog.firstElementChild) fillDialog(dialog);
    else if (target && target.id === "content" && $("#content [aria-invalid=true]")) $("#content [aria-invalid=true]").focus();
  });
  document.addEventListener("htmx:response:error", (event) => {
    const { status, raw } = event.detail.ctx.response;
    if (status === 401) return;
    if (status === 403 || status >= 500) complain(status === 403 ? "This page is too old. Load it again, then repeat what you wanted." : `That failed (${status}). Nothing was lost. Try again in a moment.`);
  });
  document.addEventListener("htmx:error", () => complain("The server cannot be reached. Try again in a moment."));

  document.addEventListener("DOMContentLoaded", () => {
    $("#dialog").addEventListener("close", (event) => event.target.replaceChildren());
    const wrong = $("#content [aria-invalid=true]");
    if (wrong) wrong.focus();
  });

  document.addEventListener("click", (event) => {
    const target = event.target.closest("button, a");
    if (!target) return;
    const data = target.dataset;
    if ("copy" in data) navigator.clipboard.writeText(data.copy).then(() => say(`Copied ${data.copy}`), () => complain("The browser does not allow copying."));
    else if ("dismiss" in data) target.closest(".alert").remove();
    else if ("close" in data) target.closest("dialog").close();
    else if ("keys" in data) $("#keys").showPopover();
    if (target.closest(".menu") && !target.closest("form.stay")) target.closest("[popover]").hidePopover();
  });

  // What asks anew by itself waits while nobody looks.
  document.addEventListener("every", (event) => document.hidden && event.stopPropagation(), true);

  // Forms: a changed one asks before it is left; a sent one is not sent twice.
  let changed = false;
  const ask = (event) => event.preventDefault();
  const guard = (is) => {
    changed = is;
    (is ? addEventListener : removeEventListener)("beforeunload", ask);
  };
  document.addEventListener("input", (event) => {
    if (event.target.closest("form[data-guarded]") && !event.target.closest("dialog")) guard(true);
  });
  document.addEventListener("change", (event) => {
    if ("all" in event.target.dataset) for (const box of event.target.closest("table").querySelectorAll("td.tick-cell input")) box.checked = event.target.checked;
    if ("redraw" in event.target.dataset) event.target.form.requestSubmit($("button[value=draw]", event.target.form));
    const files = event.target.type === "file" && event.target.files;
    if (files && files.length && event.target.dataset.into) {
      const reader = new FileReader();
      reader.onload = () => { $(event.target.dataset.into).value = reader.result; };
      reader.readAsDataURL(files[0]);
    }
  });
  document.addEventListener("submit", (event) => {
    guard(false);
    const button = event.submitter;
    if (button && "submit" in button.dataset) {
      setTimeout(() => { button.disabled = true; });
      setTimeout(() => { button.disabled = false; }, 10000);
    }
  });

  // Tooltips: one element, lines of "name|value".
  const tip = (event) => {
    const of = event.target.closest && event.target.closest("[data-tip]");
    const box = $("#tip");
    if (!of) return box.matches(":popover-open") && box.hidePopover();
    const list = document.createElement("dl");
    for (const line of of.dataset.tip.split("\n")) {
      const cut = line.indexOf("|");
      for (const [kind, text] of cut < 0 ? [["dd", line]] : [["dt", line.slice(0, cut)], ["dd", line.slice(cut + 1)]]) list.append(Object.assign(document.createElement(kind), { textContent: text }));
      if (cut < 0) list.style.gridTemplateColumns = "auto";
    }
    box.replaceChildren(list);
    if (!box.matches(":popover-open")) box.showPopover();
    const at = of.getBoundingClientRect();
    const above = at.top > box.offsetHeight + 12;
    box.style.top = `${above ? at.top - box.offsetHeight - 8 : at.bottom + 8}px`;
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
  };
  for (const name of ["mouseover", "focusin"]) document.addEventListener(name, tip);
  document.addEventListener("focusout", (event) => event.relatedTarget || tip({ target: document.body }));

  // Keys. Each has a visible way too.
  let before = "";
  const step = (by) => {
    const rows = [...document.querySelectorAll("#content tbody tr")];
    const at = rows.findIndex((row) => row.classList.contains("is-at"));
    const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    if (!next) return;
    rows.forEach((row) => row.classList.toggle("is-at", row === next));
    ($("a", next) || next).focus();
    next.scrollIntoView({ block: "nearest" });
  };
  // Arrows lead from the box through the results, and back.
  const arrow = (event, by) => {
    if (!by || !$(".results") || (typing(event.target) && event.target.id !== "find") || $("#dialog").open) return;
    event.preventDefault();
    if (by < 0 && $(".results tr.is-at") === $(".results tbody tr")) { $(".is-at").classList.remove("is-at"); $("#find").focus(); } else step(by);
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tip({ target: document.body });
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); $("#find")?.focus(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    arrow(event, { ArrowDown: 1, ArrowUp: -1 }[event.key]);
    if (typing(event.target) || $("#dialog").open) return;
    const key = event.key;
    const go = before === "g" && $(`[data-key="g ${key}"]`);
    before = key;
    if (go) go.click();
    else if (key === "/") { event.preventDefault(); $("#find")?.focus(); }
    else if (key === "?") $("#keys")?.showPopover();
    else if (key === "n") $("#content [data-new]")?.click();
    else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
    else if (key === "x") $("tr.is-at input[type=checkbox]")?.click();
  });
})();
