// Whose members the declarations are to share with the realm.
import * as extra from 'workflow:extra';
import * as sandbox from 'workflow:sandbox';

declare const context: WorkflowContext;

export const members = {
  context,
  budget,
  SW,
  'SW.extra': SW.extra,
  'SW.sandbox': SW.sandbox,
  'workflow:extra': extra,
  'workflow:sandbox': sandbox,
  'workflow:extra default': extra.default,
  'workflow:sandbox default': sandbox.default,
};
