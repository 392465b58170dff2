// Compiles a project as `tsc -p` does and prints as JSON what the tests ask about:
// diagnostics, the globals that workflow.d.ts and TypeScript's own library declare, the members in members.ts.
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const [typescript, project] = process.argv.slice(2);
const ts = createRequire(import.meta.url)(typescript);

const fail = ({ messageText }) => {
  throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
};
const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail };
const config = ts.getParsedCommandLineOfConfigFile(join(project, 'tsconfig.json'), {}, host);
const program = ts.createProgram(config.fileNames, config.options);
const checker = program.getTypeChecker();

function told({ file, start, code, messageText }) {
  const message = ts.flattenDiagnosticMessageText(messageText, '\n');
  const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
  return { file: file ? basename(file.fileName) : '', line, code, message };
}

const file = (name) => program.getSourceFile(join(project, name));
const declaredIn = (symbol, isHome) => symbol.declarations?.some((node) => isHome(node.getSourceFile())) ?? false;
const isAuthors = (home) => home === file('workflow.d.ts');
const isLibrary = (home) => program.isSourceFileDefaultLibrary(home);

const globals = (isHome) => checker.getSymbolsInScope(file('members.ts'), ts.SymbolFlags.Value)
  .filter((symbol) => declaredIn(symbol, isHome))
  .map((symbol) => symbol.name);

const [exported] = checker.getExportsOfModule(checker.getSymbolAtLocation(file('members.ts')));
const names = (symbol) => checker.getTypeOfSymbol(symbol).getProperties().map((member) => member.name);
const members = checker.getTypeOfSymbol(exported).getProperties().map((symbol) => [symbol.name, names(symbol)]);

console.log(JSON.stringify({
  files: config.fileNames.map((name) => basename(name)),
  diagnostics: [...config.errors, ...ts.getPreEmitDiagnostics(program)].map(told),
  library: globals(isLibrary),
  members: { globals: globals(isAuthors), ...Object.fromEntries(members) },
}));
