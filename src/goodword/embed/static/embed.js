// Defines <goodword-referral>: the link, QR code, share buttons, referrals and rewards of the person whose token it has.
// It stores nothing and sets no cookie. A page with a strict Content-Security-Policy can show it.
(() => {
  "use strict";
  if (customElements.get("goodword-referral")) return; // it is on the page twice

  const TEXTS = "$texts";
  // Of currencies that have not two. Those of the browser differ from ISO 4217 for some.
  const DECIMALS = "$decimals";
  const script = document.currentScript;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("$styles");
  const PAGE = 10, LATEST = 3;
  const PATIENCE = 3000; // for a new token, before an error is shown
  const SHOWN_AS = { held: "pending", reversed: "rejected" };

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children.filter(Boolean));
    return element;
  }

  function makeButton(text, act, className = "") {
    const button = make("button", { type: "button", className }, text);
    button.addEventListener("click", act);
    return button;
  }

  function claims(token) {
    try {
      return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    } catch {
      return {};
    }
  }

  customElements.define("goodword-referral", class extends HTMLElement {
    static observedAttributes = ["token", "base", "lang"];
    #root = this.attachShadow({ mode: "open" });
    #alert = make("div", { role: "alert" });
    #run = 0; // of requests: the answers of an earlier one are ignored
    #asked = false; // for a new token, since the last answer
    #again = null; // what to do with a new token
    #data = null;
    #timer;
    #shown = false; // `isConnected` is true before `connectedCallback` where the parser made the element

    constructor() {
      super();
      this.#root.adoptedStyleSheets = [sheet];
    }

    connectedCallback() {
      this.#shown = true;
      this.#watch();
      this.#load();
    }

    disconnectedCallback() {
      this.#shown = false;
      clearTimeout(this.#timer);
      this.#run += 1;
    }

    attributeChangedCallback(name, before, now) {
      if (!this.#shown || before === now) return;
      if (name === "lang") {
        if (this.#data) this.#show();
        return;
      }
      if (name !== "token") {
        this.#load();
        return;
      }
      this.#watch();
      const person = claims(now).sub;
      if (!this.#data || !person || person !== claims(before ?? "").sub) this.#load();
      else this.#again?.();
    }

    get #language() {
      const named = this.lang || this.closest("[lang]")?.lang || navigator.language;
      const language = named.split("-")[0].toLowerCase();
      return language in TEXTS ? language : "en";
    }

    get #texts() {
      return TEXTS[this.#language];
    }

    get #base() {
      return this.getAttribute("base")?.replace(/\/*$/, "/") ?? new URL(".", script.src).href;
    }

    // The token is for as long as it says since it came: clocks may differ.
    #watch() {
      clearTimeout(this.#timer);
      const { iat, exp } = claims(this.getAttribute("token") ?? "");
      if (exp > iat) this.#timer = setTimeout(() => this.#ask(), (exp - iat) * 1000);
    }

    #ask() {
      this.dispatchEvent(new CustomEvent("goodword:token-expired", { bubbles: true, composed: true }));
    }

    async #get(path) {
      const answer = await fetch(`${this.#base}api/v1/me/${path}`, {
        headers: { Authorization: `Bearer ${this.getAttribute("token")}` },
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      if (!answer.ok) throw answer;
      this.#asked = false;
      return answer.json();
    }

    // Runs requests, and shows what came, or an error with a button that runs them again.
    async #request(read, show) {
      const run = ++this.#run;
      this.#alert.replaceChildren();
      this.#again = null;
      try {
        const found = await read();
        if (run === this.#run) show(found);
      } catch (error) {
        if (run !== this.#run) return;
        this.#again = () => this.#request(read, show);
        if (error.status === 401 && !this.#asked) {
          this.#asked = true;
          setTimeout(() => { if (run === this.#run) this.#fail("expired"); }, PATIENCE);
          this.#ask();
        } else {
          this.#fail(error.status === 401 ? "expired" : "failed");
        }
      }
    }

    #fail(kind) {
      this.#alert.replaceChildren(make("p", {}, this.#texts[kind]), makeButton(this.#texts.retry, () => {
        this.#asked = false;
        this.#again();
      }));
      if (!this.#data) this.#root.replaceChildren(this.#section(this.#alert));
    }

    #section(...children) {
      return make("section", { ariaLabel: this.#texts.title, lang: this.#language }, ...children);
    }

    #load() {
      if (!this.getAttribute("token")) return;
      this.#data = null;
      this.#root.replaceChildren(this.#section(make("p", { role: "status" }, this.#texts.loading), this.#alert));
      const since = `${new Date().getUTCFullYear() - 9}-01-01T00:00:00Z`;
      this.#request(() => Promise.all([
        this.#get("referral-codes?status=active"),
        this.#get(`referrals?limit=${PAGE}`),
        this.#get(`referral-stats?interval=month&from=${since}`),
        this.#earned(),
      ]), ([codes, people, stats, earned]) => {
        this.#data = {
          code: codes.items[0], counts: stats.by_status, people: people.items, cursor: people.next_cursor, ...earned,
        };
        this.#show();
      });
    }

    async #earned() {
      const balances = (await this.#get("reward-balances")).items;
      return { balances, rewards: balances.length ? (await this.#get(`rewards?limit=${LATEST}`)).items : [] };
    }

    #show() {
      const { code, people, counts, cursor, balances, rewards } = this.#data, texts = this.#texts;
      const waiting = counts.pending + (counts.held ?? 0);
      const list = make("ul", { className: "cards" }, ...people.map((one) => this.#person(one)));
      this.#root.replaceChildren(this.#section(
        texts.offer && make("p", {}, texts.offer),
        make("h2", {}, texts.link),
        code ? this.#link(code) : make("p", {}, texts.no_code),
        make("h2", { className: "people" }, texts.people),
        make("p", { className: "note" }, people.length ? [
          this.#counted(texts.joined, counts.confirmed),
          ...waiting ? [this.#counted(texts.waiting, waiting)] : [],
        ].join(" · ") : texts.nobody),
        people.length && list,
        cursor && this.#more(list),
        ...balances.length ? [
          make("h2", { className: "people" }, texts.rewards),
          make("ul", { className: "balances" }, ...balances.map((one) => this.#balance(one))),
          make("ul", { className: "cards rewards" }, ...rewards.map((one) => this.#reward(one))),
        ] : [],
        this.#alert,
        make("slot", { name: "rewards" }),
      ));
    }

    #link(code) {
      const texts = this.#texts;
      const input = make("input", { value: code.link, readOnly: true, ariaLabel: texts.link });
      const status = make("span", { role: "status" });
      const copy = makeButton(texts.copy, async () => {
        let done = await navigator.clipboard?.writeText(code.link).then(() => true, () => false);
        if (!done) { // a page without TLS, or a browser that does not allow it
          input.select();
          done = document.execCommand("copy");
          if (done) copy.focus();
        }
        status.textContent = done ? texts.copied : texts.selected;
      }, "main");
      const shared = { text: texts.said, url: code.link };
      const share = navigator.canShare?.(shared)
        && makeButton(texts.share, () => navigator.share(shared).catch(() => {})); // the reader closed the list
      const image = `${this.#base}r/${encodeURIComponent(code.code)}/qr.svg`;
      return make("div", { className: "link" },
        make("div", {},
          input,
          make("p", { className: "row" }, copy, share, status),
          make("ul", { className: "row" }, ...this.#shares(code.link)),
          make("p", { className: "note" }, `${texts.valid} ${this.#day(code.expires_at)}`)),
        make("img", { src: image, alt: texts.qr, width: 160, height: 160, referrerPolicy: "no-referrer" }));
    }

    #shares(link) {
      const text = encodeURIComponent(this.#texts.said), target = encodeURIComponent(link);
      return Object.entries({
        [this.#texts.email]: `mailto:?subject=${text}&body=${target}`,
        WhatsApp: `https://wa.me/?text=${text}%20${target}`,
        Telegram: `https://t.me/share/url?url=${target}&text=${text}`,
        X: `https://x.com/intent/post?text=${text}&url=${target}`,
      }).map(([name, href]) => make("li", {}, make("a", {
        href, rel: "noreferrer", target: href[0] === "h" ? "_blank" : "",
      }, name)));
    }

    #person({ referee, status, created_at }) {
      const texts = this.#texts, name = referee.display_name;
      return make("li", {},
        make("p", {},
          make("strong", {}, name === TEXTS.en.friend ? texts.friend : name),
          referee.email_masked && ` ${referee.email_masked}`),
        make("p", { className: "note" }, `${texts[SHOWN_AS[status] ?? status]} · ${this.#day(created_at)}`));
    }

    #balance({ kind, currency, approved_minor, pending_minor, fulfilled_minor }) {
      const texts = this.#texts;
      const parts = [[pending_minor, texts.waits], [fulfilled_minor, kind === "credit" ? texts.paid : texts.received]];
      return make("li", {},
        make("strong", {}, this.#amount(approved_minor, currency)), ` ${texts.available}`,
        ...parts.filter(([minor]) => minor).map(([minor, said]) => ` · ${this.#amount(minor, currency)} ${said}`));
    }

    #reward({ kind, status, amount_minor, remaining_minor, currency, description, coupon, available_at, created_at }) {
      const texts = this.#texts;
      const said = {
        approved: texts.available, fulfilled: kind === "credit" ? texts.paid : texts.received,
        canceled: texts.canceled, reversed: texts.reversed,
      }[status] ?? (!available_at ? texts.unconfirmed
        : new Date(available_at) > new Date() ? texts.until.replace("%(time)s", this.#day(available_at)) : texts.unapproved);
      return make("li", {},
        make("p", {}, make("strong", {}, this.#amount(remaining_minor || amount_minor, currency)),
          description && ` ${description}`),
        coupon && make("p", {}, `${texts.coupon} ${coupon}`),
        make("p", { className: "note" }, `${said} · ${this.#day(created_at)}`));
    }

    // A null currency is that of points.
    #amount(minor, currency) {
      if (!currency) return this.#counted(this.#texts.points, minor);
      const digits = DECIMALS[currency] ?? 2;
      return new Intl.NumberFormat(this.#language, {
        style: "currency", currency, currencyDisplay: "narrowSymbol",
        minimumFractionDigits: digits, maximumFractionDigits: digits,
      }).format(minor / 10 ** digits);
    }

    #counted(forms, count) {
      const number = new Intl.NumberFormat(this.#language).format(count);
      return forms[new Intl.PluralRules(this.#language).select(count)].replace("%(num)s", number);
    }

    #more(list) {
      const button = makeButton(this.#texts.more, () => this.#request(
        () => this.#get(`referrals?limit=${PAGE}&cursor=${encodeURIComponent(this.#data.cursor)}`),
        ({ items, next_cursor }) => {
          const added = items.map((one) => this.#person(one));
          list.append(...added);
          this.#data.people.push(...items);
          this.#data.cursor = next_cursor;
          if (next_cursor) return;
          button.remove();
          added[0].tabIndex = -1; // the focus would be lost with the button
          added[0].focus();
        },
      ));
      return button;
    }

    #day(time) {
      const locale = this.#language === "en" ? "en-GB" : this.#language;
      return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(new Date(time));
    }
  });
})();
