// Who is logged in, and the way in or out; nothing where nobody can log in.
const root = window.location.pathname.replace(/\/+$/, "");

function element(name, attributes, ...inside) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...inside);
  return made;
}

async function show() {
  const answer = await fetch(`${root}/api/v1/account`).catch(() => null);
  if (!answer || !answer.ok) return;
  const account = await answer.json();
  if (!account.has_login) return;
  const line = element("div", { className: "ss-account" });
  if (account.person) {
    const everywhere = element("button", { name: "everywhere", value: "true" }, texts.account.everywhere);
    const out = element(
      "form",
      { method: "post", action: `${root}/logout` },
      element("button", {}, texts.account.logOut),
      everywhere,
    );
    line.append(element("span", {}, `${texts.account.as} `, element("strong", {}, account.person)), out);
  } else {
    line.append(element("a", { href: `${root}/login` }, texts.account.logIn));
  }
  document.querySelector("#head")?.before(line);
}

show();
