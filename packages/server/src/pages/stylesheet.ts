import { createHash } from 'node:crypto';
import type { Brand } from './brand.ts';
import { darkPalette, lightPalette, type Palette } from './palette.ts';

/** The one stylesheet of the pages, in a brand's colours. Fetches nothing, moves nothing. Serve it at `${base}/assets/tessera.css` as `text/css`. */
export function stylesheet(brand: Brand): string {
  return `:root {
  color-scheme: light dark;
${properties(lightPalette(brand))}
}
@media (prefers-color-scheme: dark) {
  :root {
${properties(darkPalette(brand))}
  }
}
${rules}`;
}

/** A short digest of the stylesheet for its address: it changes when the look does, so the answer may be cached for good. */
export function stylesheetVersion(brand: Brand): string {
  return createHash('sha256').update(stylesheet(brand)).digest('base64url').slice(0, 12);
}

function properties(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, colour]) => `  --${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: ${colour};`)
    .join('\n');
}

// Everything sits on a grid of 8 px; four sizes of text: 14, 16, 20, 28.
const rules = `:root {
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  --small: 0.875rem;
  --normal: 1rem;
  --large: 1.25rem;
  --title: 1.75rem;
  --notch: 24px;
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto;
  min-height: 100vh;
  min-height: 100dvh;
  padding: 24px 8px;
  display: flex;
  flex-direction: column;
  gap: 24px;
  background: var(--paper);
  color: var(--ink);
  font: var(--normal)/1.5 var(--sans);
  overflow-wrap: anywhere;
}
body.narrow { max-width: 464px; }
body.wide { max-width: 784px; }
h1, h2, h3, p, ul, dl, dd { margin: 0; padding: 0; }
ul { list-style: none; }
h1 { font-size: var(--title); line-height: 1.1429; font-weight: 650; letter-spacing: -0.01em; text-wrap: balance; }
h2 { font-size: var(--large); line-height: 1.2; font-weight: 650; }
h2.modest { font-size: var(--normal); line-height: 1.5; }
h3 { font-size: var(--normal); line-height: 1.5; font-weight: 650; }
a { color: inherit; text-decoration: underline; text-decoration-color: var(--accent-text); text-decoration-thickness: 1px; text-underline-offset: 4px; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
.small { font-size: var(--small); line-height: 1.4286; color: var(--muted); }
.mono, code { font-family: var(--mono); font-size: 0.875em; font-variant-ligatures: none; }
.small.mono { font-size: var(--small); }
.small code, .small .mono { font-size: inherit; }
.name { font-weight: 650; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.brand { display: flex; align-items: center; gap: 8px; padding: 0 8px; min-height: 24px; font-weight: 650; }
.mark { display: block; flex: none; fill: var(--accent); }
.logo { display: block; flex: none; height: 24px; width: auto; max-width: 120px; }
main { display: flex; flex-direction: column; gap: 24px; }
footer { margin-top: auto; padding: 0 8px; font-size: var(--small); }
footer ul { display: flex; flex-wrap: wrap; gap: 0 24px; }
footer li > * { display: inline-block; padding: 8px 0; }
footer [aria-current] { color: var(--muted); }

.card {
  position: relative;
  display: flex;
  flex-direction: column;
  gap: 24px;
  padding: 24px 16px;
  background: var(--surface);
  border: 1px solid var(--hairline);
  clip-path: polygon(0 0, calc(100% - var(--notch)) 0, 100% var(--notch), 100% 100%, 0 100%);
}
.card::after {
  content: "";
  position: absolute;
  top: -1px;
  left: calc(100% - var(--notch) + 1px);
  width: calc(var(--notch) * 1.4143);
  border-top: 1px solid var(--hairline);
  transform: rotate(45deg);
  transform-origin: 0 0;
}
.card > h1, .card > h2 { padding-right: 16px; }
.tile {
  flex: none;
  display: grid;
  place-items: center;
  width: 40px;
  height: 40px;
  background: var(--ink);
  color: var(--surface);
  font-size: var(--large);
  font-weight: 650;
  line-height: 1;
  clip-path: polygon(0 0, 70% 0, 100% 30%, 100% 100%, 0 100%);
}
.asking { display: flex; gap: 16px; align-items: flex-start; }
.asking > div { min-width: 0; }
.account { display: flex; flex-wrap: wrap; gap: 0 8px; }

form { display: flex; flex-direction: column; gap: 24px; }
.fields { display: flex; flex-direction: column; gap: 16px; }
.field { display: flex; flex-direction: column; gap: 8px; }
.field label { font-weight: 650; }
.field input {
  width: 100%;
  min-height: 48px;
  padding: 8px 16px;
  font: inherit;
  color: var(--ink);
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 0;
}
.field input:focus-visible { outline-offset: -2px; }
.field input[aria-invalid="true"] { border-color: var(--amber); border-width: 2px; padding: 7px 15px; }
.check { display: grid; grid-template-columns: 24px 1fr; gap: 0 16px; }
.check input { width: 24px; height: 24px; margin: 0; accent-color: var(--fill); }
.check .small { grid-column: 2; }

.buttons { display: flex; flex-direction: column; gap: 8px; }
.button {
  display: inline-flex;
  align-items: center;
  justify-content: center;
  min-height: 48px;
  padding: 8px 24px;
  font: inherit;
  font-weight: 650;
  text-align: center;
  text-wrap: balance;
  text-decoration: none;
  color: var(--ink);
  background: transparent;
  border: 1px solid var(--line);
  border-radius: 0;
  cursor: pointer;
}
.button:hover { border-color: var(--ink); }
.button.primary { color: var(--on-fill); background: var(--fill); border-color: var(--fill); }
.button.primary:hover { border-color: var(--ink); }
.button.destructive { color: var(--accent-text); border-color: var(--accent-text); }
.button.destructive:hover { color: var(--on-fill); background: var(--fill); }
.button.quiet {
  min-height: 24px;
  padding: 8px 0;
  align-self: flex-start;
  border: 0;
  text-align: start;
  font-weight: inherit;
  text-decoration: underline;
  text-decoration-color: var(--accent-text);
  text-underline-offset: 4px;
}
.button.compact { min-height: 40px; padding: 4px 16px; font-size: var(--small); }

.notice { padding: 8px 16px; background: var(--surface); border: 1px solid var(--hairline); border-inline-start: 4px solid var(--amber); }
.notice.done { border-inline-start-color: var(--green); }
[role="status"]:empty { display: none; }
.rule { border-top: 1px solid var(--hairline); padding-top: 16px; }
.stack { display: flex; flex-direction: column; gap: 8px; }
.links { border-top: 1px solid var(--hairline); padding-top: 16px; }
.links ul { display: flex; flex-wrap: wrap; gap: 0 16px; }
.links ul { padding-top: 4px; }
.links a { display: inline-block; padding: 4px 0; color: var(--ink); }

.scopes { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(224px, 100%), 1fr)); gap: 16px 24px; }
.scopes h3 { font-size: var(--small); color: var(--muted); font-weight: 650; }
.scopes ul { display: flex; flex-direction: column; gap: 8px; padding-top: 8px; }
.scopes li { position: relative; padding-inline-start: 24px; }
.scopes li::before { content: ""; position: absolute; inset-inline-start: 0; top: 8px; width: 8px; height: 8px; background: var(--accent); clip-path: polygon(0 0, 60% 0, 100% 40%, 100% 100%, 0 100%); }
.scopes li .mono { display: block; }

.facts { display: grid; grid-template-columns: auto 1fr; gap: 8px 16px; }
.facts dt { color: var(--muted); }
.select { user-select: all; -webkit-user-select: all; }

.page-head { display: flex; flex-direction: column; gap: 8px; padding: 0 8px; }
.section { display: flex; flex-direction: column; gap: 16px; }
main > .section { padding-top: 16px; }
main > .section > h2, main > .section > p { padding: 0 8px; }
.list { display: flex; flex-direction: column; gap: 16px; }
.entry { gap: 16px; --notch: 16px; }
.entry-head { display: flex; flex-wrap: wrap; align-items: flex-start; justify-content: space-between; gap: 16px; }
.entry-head > div { flex: 1 1 224px; min-width: 0; }
.entry-title { display: flex; flex-wrap: wrap; align-items: center; gap: 0 16px; }
.meta { display: flex; flex-wrap: wrap; gap: 0 24px; }
.badge { display: inline-flex; align-items: center; gap: 8px; font-size: var(--small); color: var(--ink); }
.badge::before { content: ""; flex: none; width: 8px; height: 8px; background: var(--amber); clip-path: polygon(0 0, 60% 0, 100% 40%, 100% 100%, 0 100%); }
.badge.live::before { background: var(--green); }
.apps { display: flex; flex-direction: column; }
.apps > li { display: flex; flex-direction: column; padding: 8px 0; border-top: 1px solid var(--hairline); }
.apps > li:last-child { padding-bottom: 0; }

@media (min-width: 480px) {
  body { padding: 40px 16px; }
  .brand, footer, .page-head, main > .section > h2, main > .section > p { padding-inline: 0; }
  .wide .buttons { align-items: flex-start; }
  .card { padding: 32px; }
  .card.entry { padding: 24px; }
  .buttons.pair { flex-direction: row; }
  .buttons.pair > * { flex: 1; }
}
@media (min-width: 480px) and (min-height: 720px) {
  body.narrow { padding-top: 96px; }
}
@media (forced-colors: active) {
  .tile { border: 1px solid; }
  .card { clip-path: none; }
  .card::after { display: none; }
}
`;
