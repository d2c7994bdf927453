// Compiles MJML documents with npm's mjml: a JSON list from standard input, one of HTML to output.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const mjml = createRequire(import.meta.url)("mjml");
const compile = mjml.default ?? mjml;
const made = [];
for (const document of JSON.parse(readFileSync(0, "utf8"))) {
  made.push((await compile(document, { validationLevel: "strict" })).html);
}
process.stdout.write(JSON.stringify(made));
