/** One way to spend the same local epochs, and what came of it. */
import type { RoundSettings } from '@oneround/fl-core';

export interface Arm {
  name: string;
  /** Local epochs of one contribution. */
  epochs: number;
  /** Absent: one round. */
  rounds?: RoundSettings;
}

/** What a client trained and moved in one round. */
export interface ClientRound {
  /** Of one core, to train. */
  seconds: number;
  bytesUp: number;
  /** Besides the base model. */
  bytesDown: number;
}

/** Held-out losses, in nats a label token. */
export interface Losses {
  /** On a quarter of the held-out examples: the server's learning rate is chosen by it. */
  chosenBy: number;
  /** On another half. */
  reported: number;
}

export interface ArmResult {
  arm: Arm;
  /** Of each round's version. */
  losses: Losses[];
  accuracy: number;
  /** `[round][client]` */
  clients: ClientRound[][];
  verifySeconds: number;
}
