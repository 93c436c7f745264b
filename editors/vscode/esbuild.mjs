// Bundles the extension and its web view, or the tests.
import { build } from "esbuild";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

const production = process.argv.includes("--production");
const shared = { bundle: true, logLevel: "warning", minify: production, sourcemap: production ? false : "linked" };
const node = { platform: "node", format: "cjs", target: "node20" };

if (process.argv.includes("--tests")) {
  const entryPoints = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
  await build({ ...shared, ...node, entryPoints, outdir: "out/test" });
} else {
  const extension = { entryPoints: ["src/extension.ts"], outfile: "out/extension.js", external: ["vscode"], metafile: true };
  const { metafile } = await build({ ...shared, ...node, ...extension });
  await build({ ...shared, entryPoints: ["src/view.ts"], outfile: "out/view.js", platform: "browser", format: "iife", target: "es2022" });
  writeFileSync("out/ThirdPartyNotices.txt", notices(Object.keys(metafile.inputs)));
}

/** The licences of the packages that are part of the bundle. */
function notices(files) {
  const packages = files.map((each) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(each)?.[0]).filter(Boolean);
  const texts = [...new Set(packages)].sort().map((folder) => {
    const name = folder.replace(/^.*node_modules\//, "");
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    if (file === undefined || !existsSync(`${folder}/${file}`)) {
      throw new Error(`${name} has no licence`);
    }
    return `${name}\n\n${readFileSync(`${folder}/${file}`, "utf-8").trim()}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}
