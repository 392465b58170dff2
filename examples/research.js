// Asks several questions about a topic at once, for as long as the token budget lasts.
import { sleep } from 'workflow:extra';

export const meta = {
  name: 'research',
  description: 'Fans out over the questions of a topic within a token budget',
};

const RESERVE = 20; // tokens kept back for the report

/**
 * @param {{ topic?: string, rounds?: number }} args
 * @param {WorkflowContext} context
 */
export default async function research({ topic = 'octopuses', rounds = 3 }, { agent, budget, log, phase }) {
  phase('Ask');
  const notes = [];
  for (let round = 1; round <= rounds; round += 1) {
    if (budget.remaining() < RESERVE) {
      log(`stopping after ${round - 1} rounds: ${budget.spent()} of ${budget.total} tokens are spent`);
      break;
    }
    const answers = await parallel(['what is known', 'what is disputed', 'what nobody has tried'].map(
      (question) => () => agent(`About ${topic}, round ${round}: ${question}?`, { label: question }),
    ));
    notes.push(...answers.filter((answer) => answer !== null));
    await sleep(10); // a pause between rounds, on the host's clock
  }

  phase('Report');
  const report = await agent(`Write one paragraph on ${topic} from these notes:\n\n${notes.join('\n')}`);
  return { topic, notes: notes.length, spent: budget.spent(), report };
}
