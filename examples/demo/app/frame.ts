const markPath = 'M0 0H11L16 5V16H0Z';
const icon = encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#a63d2f" d="${markPath}"/></svg>`,
);

/** What stands inside the frame. `main` and `head` are HTML. */
export type FrameParts = {
  title: string;
  brand: string;
  bodyClass: string;
  main: string;
  head?: string;
  root?: string;
};

/** The frame of the demo's pages: Tessera's mark, one stylesheet, nothing from elsewhere. */
export function frame({ title, brand, bodyClass, main, head = '', root = '' }: FrameParts): string {
  return `<!doctype html>
<html lang="en"${root}>
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:image/svg+xml,${icon}">
<link rel="stylesheet" href="/app.css">
${head}</head>
<body class="${bodyClass}">
<header class="brand"><svg class="mark" viewBox="0 0 16 16" width="24" height="24" aria-hidden="true"><path d="${markPath}"/></svg><span>${escapeHtml(brand)}</span></header>
<main>
${main}
</main>
</body>
</html>
`;
}

/** Text as it may stand in HTML, between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
