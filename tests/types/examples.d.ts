// What the host gives the examples.
interface WorkflowArgs {
  change?: string;
  sides?: string[];
  topic?: string;
  rounds?: number;
  chapters?: string[];
  chapter?: string;
  outline?: string;
}
