// The live panel under a `learner.watch()` cell. It reads the run's status.json through Jupyter's own file URL, and asks for a stop
// by creating the file STOP through Jupyter's contents interface. On a page without Jupyter's configuration it does nothing.
(folder => {
  const script = document.currentScript;
  const panel = script && script.previousElementSibling;
  const page = document.getElementById("jupyter-config-data");
  if (!panel || !page) return;
  const base = JSON.parse(page.textContent).baseUrl || "/";

  const ask = (path, options) => {
    const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
    const headers = { "Content-Type": "application/json", ...(token && { "X-XSRFToken": token[1] }) };
    return fetch(base + path, { credentials: "same-origin", cache: "no-store", headers, ...options });
  };
  const quoted = path => path.split("/").map(encodeURIComponent).join("/");

  const add = (name, text, style) => {
    const element = panel.appendChild(document.createElement(name));
    element.textContent = text;
    element.style.cssText = style;
    return element;
  };
  panel.replaceChildren();
  const line = add("p", "looking for the run", "margin: 0 0 4px");
  line.setAttribute("role", "status");
  const bar = add("progress", "", "width: min(420px, 60%); vertical-align: middle; margin-right: 12px");
  bar.setAttribute("aria-label", "how much of the phase is done");
  bar.value = 0;
  const stop = add("button", "Stop", "padding: 2px 14px; vertical-align: middle");
  stop.title = "ends training after the current step; everything is kept";
  stop.disabled = true;
  const note = add("p", "", "margin: 4px 0; font-style: italic");
  const picture = add("img", "", "max-width: 100%; display: none");
  picture.alt = "loss and accuracy, epoch by epoch";

  // Where the run is below Jupyter's root folder: a tail of its path.
  let place = null;
  const find = async () => {
    const parts = folder.split(/[\\/]/).filter(part => part);
    for (let length = Math.min(3, parts.length); length <= parts.length; length++) {
      const tail = parts.slice(-length).join("/");
      const answer = await ask(`files/${quoted(tail)}/status.json`);
      if (answer.ok && (await answer.json()).folder === folder) return tail;
    }
    return null;
  };

  let phase = null;
  let asked = false;
  let shown = "";
  // One look at the run; says in how many milliseconds to look again, 0 for never.
  const look = async () => {
    if (document.hidden || !panel.isConnected) return 1000;
    place = place || (await find());
    if (!place) {
      line.textContent = "Jupyter was started outside this project, so this panel cannot see the run.";
      note.textContent = "The lines below the fit cell serve instead.";
      bar.remove();
      stop.remove();
      return 0;
    }
    const answer = await ask(`files/${quoted(place)}/status.json`);
    if (!answer.ok) throw new Error(`Jupyter answers ${answer.status}`);
    const status = await answer.json();
    if (status.busy) {
      if (phase !== null && phase !== status.phase) {
        // Another phase, which has a panel of its own below.
        line.textContent = `phase ${phase} is over`;
        [bar.value, stop.disabled, note.textContent] = [1, true, ""];
        return 0;
      }
      phase = status.phase;
    }
    line.textContent = status.line;
    bar.value = status.share;
    asked = asked && status.busy;
    stop.disabled = asked || !status.busy;
    const age = Math.round((Date.parse(answer.headers.get("Date")) - status.updated) / 1000);
    note.textContent = asked ? "stopping after this step" : status.busy && age > 20 ? `no news for ${age} s` : "";
    const picturing = `${status.phase} ${status.pictured}`;
    if (status.pictured > 0 && picturing !== shown) {
      shown = picturing;
      picture.src = `${base}files/${quoted(place)}/curves.png?${status.updated}`;
      picture.style.display = "";
    }
    panel.dataset.state = status.state;
    return phase === status.phase && status.state === "finished" ? 0 : status.busy ? 1000 : 2000;
  };

  stop.onclick = async () => {
    [asked, stop.disabled, note.textContent] = [true, true, "stopping after this step"];
    const body = JSON.stringify({ type: "file", format: "text", content: "asked for in the notebook\n" });
    const answer = await ask(`api/contents/${quoted(place)}/STOP`, { method: "PUT", body }).catch(() => null);
    if (answer && answer.ok) return;
    asked = false;
    note.textContent = `Jupyter did not take the request (${answer ? answer.status : "no answer"}); create the file STOP in ${folder}`;
  };

  const again = () =>
    look()
      .catch(error => {
        note.textContent = String(error);
        return 5000;
      })
      .then(pause => pause && setTimeout(again, pause));
  again();
})
