// Remembers the referral code in the address of a page (?ref=CODE), for a form on this page or on a later one.
// It sends nothing and sets no cookie.
(() => {
  "use strict";
  if (globalThis.goodword?.referral) return; // it is on the page twice

  const { parameter = "$parameter", model, window: days, field, touchField } = document.currentScript?.dataset ?? {};
  const KEY = "goodword.referral";
  const NAMED = "form[data-goodword] [name=referral_";
  let unsaved = null; // where storage is blocked or full

  function referral() {
    let kept = unsaved;
    try {
      kept ??= JSON.parse(localStorage.getItem(KEY));
      if (kept && !(Date.now() <= kept.ends_at)) localStorage.removeItem(KEY);
    } catch {}
    if (typeof kept?.code !== "string" || !(Date.now() <= kept.ends_at)) return null;
    return { code: kept.code, touch: kept.touch, captured_at: kept.captured_at };
  }

  function capture() {
    const query = new URLSearchParams(location.search), touch = query.get("touch");
    const code = query.get(parameter)?.replace(/\p{C}/gu, "").trim();
    if (!code || code.length > 64 || (model === "first" && referral())) return;
    const now = new Date();
    const kept = {
      code,
      touch: /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(touch) ? touch : null,
      captured_at: now.toISOString(),
      ends_at: now.getTime() + (days > 0 ? days : 30) * 864e5,
    };
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      unsaved = kept;
    }
  }

  // What a person has typed stays, and what they have removed does not come back.
  const filled = new WeakSet();
  function fill() {
    const found = referral();
    if (!found) return;
    for (const [selector, value] of [
      [field, found.code], [`${NAMED}code]`, found.code],
      [touchField, found.touch], [`${NAMED}touch]`, found.touch],
    ]) {
      for (const input of selector && value ? document.querySelectorAll(selector) : []) {
        if (!input.value && !filled.has(input)) input.value = value;
        filled.add(input);
      }
    }
  }

  capture();
  globalThis.goodword = { ...globalThis.goodword, referral, onCapture: (call) => { if (referral()) call(referral()); } };
  // The last three are for forms that a script adds later.
  for (const kind of ["DOMContentLoaded", "focusin", "click", "submit"]) addEventListener(kind, fill, true);
  fill();
  if (referral()) document.dispatchEvent(new CustomEvent("goodword:capture", { detail: referral() }));
})();
