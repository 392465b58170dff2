// Reads the JSON on stdin, a list of documents, each with one message, with quicktype's reader and writes it as it does.
import { readFileSync } from 'node:fs';
import { Convert } from './types';

const documents: unknown[] = JSON.parse(readFileSync(0, 'utf8'));
const written = documents.map((document) => {
  const read = Convert.toContract(JSON.stringify(document));
  return JSON.parse(Convert.contractToJson(read)) as unknown;
});
console.log(JSON.stringify(written));
