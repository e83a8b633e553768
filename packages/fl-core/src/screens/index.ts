/**
 * screens: which contributions `merge` may have. Pure functions with typed verdicts; whoever calls them evaluates, stores
 * and publishes. Nothing here knows a signature, a ticket or a file: intake has checked those before.
 */
export { chanceCosine, cosineToSum, isFaint } from './cosine.ts';
export { checkNorm } from './norm.ts';
export {
  type Accepted,
  type Candidate,
  closeScreening,
  defaultScreens,
  type EvaluateMean,
  judge,
  judgeInTurn,
  openStanding,
  type ScreenPolicy,
  type Standing,
  type Trials,
  type Weigh,
  worstDomainLoss,
} from './screening.ts';
export { quarantineReasons, type QuarantineReason, type ScreenFigures, type Verdict } from './verdict.ts';
