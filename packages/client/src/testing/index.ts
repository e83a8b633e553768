/** testing: states of a campaign, for the tests of whoever shows or follows one. */
export * from './campaign-states.ts';
