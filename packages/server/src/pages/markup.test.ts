import assert from 'node:assert/strict';
import { test } from 'node:test';
import { html, type MarkupValue } from './markup.ts';
import { fill, fillText, placeNames, plural, pluralForm } from './words.ts';

test('text and attribute values are escaped, markup is kept', () => {
  const evil = `<script>"'&`;
  const inner = html`<b>${evil}</b>`;
  assert.equal(
    html`<i title="${evil}">${inner}</i>`.toString(),
    '<i title="&lt;script&gt;&quot;&#39;&amp;"><b>&lt;script&gt;&quot;&#39;&amp;</b></i>',
  );
});

test('nothing is shown for undefined and false, and lists are joined', () => {
  assert.equal(html`[${undefined}${false}${['a', html`<br>`, ['<']]}${0}]`.toString(), '[a<br>&lt;0]');
});

test('a promise among the values is a bug, not a page that says [object Promise]', () => {
  assert.throws(() => html`${Promise.resolve('late') as unknown as MarkupValue}`, TypeError);
});

test('a sentence takes values at its places, each escaped', () => {
  assert.equal(fill('{a} & {b}.', { a: '<', b: html`<b>x</b>` }).toString(), '&lt; &amp; <b>x</b>.');
  assert.equal(fillText('{a} & {b}', { a: '<', b: 2 }), '< & 2');
  assert.deepEqual(placeNames('{a} and {b}'), ['a', 'b']);
});

test('a value that looks like a place is not filled again', () => {
  assert.equal(fill('{a}{b}', { a: '{b}', b: 'x' }).toString(), '{b}x');
  assert.equal(fillText('{a}{b}', { a: '{b}', b: 'x' }), '{b}x');
});

test('a place without a value is a bug', () => {
  assert.throws(() => fill('{client} asks', {}), /needs a value for "client"/);
});

test('the plural form fits the number, and the number is written as the language writes it', () => {
  const apps = plural({ one: '{n} app', other: '{n} apps' });
  assert.deepEqual(
    [0, 1, 2, 1200].map((n) => pluralForm(apps, n, 'en')),
    ['0 apps', '1 app', '2 apps', '1,200 apps'],
  );
  assert.equal(pluralForm(apps, 1200, 'de'), '1.200 apps');
  assert.equal(pluralForm(plural({ other: '{n} h' }), 1, 'en'), '1 h', 'a form that is not there is the general one');
});
