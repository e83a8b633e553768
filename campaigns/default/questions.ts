/**
 * What the default campaign asks: read a short sentence, answer in one word. Five domains, each with its own question and
 * two or three possible answers; the domain is the key of the non-IID partition.
 *
 * Every answer has its clues, phrases that follow "she" or "he". A volunteer's shard shows only some of them; what one
 * shard leaves out, another holds. That is why merging helps.
 */

/** A domain: its question, and for each possible answer the clues that give it away. */
export interface Domain {
  name: string;
  question: string;
  clues: Readonly<Record<string, readonly string[]>>;
}

function phrases(text: string): string[] {
  return text.split(',').map((phrase) => phrase.trim());
}

export const domains: readonly Domain[] = [
  {
    name: 'mood',
    question: 'Mood?',
    clues: {
      happy: phrases(
        'laughed aloud, smiled at all, sang for joy, danced a little, had won the prize, clapped both hands, had good news, ' +
          'loved the gift, felt full of hope, was in high spirits, jumped for joy, was very merry, kissed the child, ' +
          'thanked every friend, was proud and glad, enjoyed the feast',
      ),
      sad: phrases(
        'wept alone, sighed deeply, had lost a friend, wore black, cried all night, felt no hope, hung the head, ' +
          'missed the dead, shed a tear, mourned a brother, was left behind, spoke with sorrow, could not eat for grief, ' +
          'had a broken heart, looked pale and lonely, buried a son',
      ),
      angry: phrases(
        'shouted at all, struck the table, cursed the thief, shook a fist, turned red with rage, broke the plate, ' +
          'swore an oath, threatened the man, slammed the door, called him a liar, wanted revenge, hit the wall, ' +
          'hated the lie, would not forgive, stamped on the floor, quarrelled again',
      ),
    },
  },
  {
    name: 'time',
    question: 'When?',
    clues: {
      day: phrases(
        'rose with the sun, ate breakfast, worked in the field, went to market, saw the blue sky, went to school, ' +
          'dined at noon, sat in the sunshine, opened the shop, watched the bees, hung out the washing, cut the hay, ' +
          'walked in bright light, fed the hens, read without a lamp, looked for shade',
      ),
      night: phrases(
        'lay in bed, saw the moon, lit a candle, counted the stars, heard an owl, slept soundly, had a dream, ' +
          'locked the house, put out the lamp, walked in the dark, kept watch till dawn, heard a bat, ' +
          'went home after supper, blew out the light, feared the darkness, snored at midnight',
      ),
    },
  },
  {
    name: 'place',
    question: 'Where?',
    clues: {
      sea: phrases(
        'sailed a ship, pulled the oars, caught a fish, saw a whale, feared the waves, swam to shore, sat on the deck, ' +
          'cast the anchor, mended the net, saw an island, steered the boat, tasted salt water, raised the sail, ' +
          'watched the tide, was nearly drowned, spoke to the captain',
      ),
      wood: phrases(
        'cut an oak, climbed a tree, saw a deer, picked berries, heard a bird in the leaves, lost the path, ' +
          'sat under the branches, hunted a fox, gathered nuts, slept on moss, followed a squirrel, hid in the bushes, ' +
          'chopped logs, found a nest, met a wolf, walked among the pines',
      ),
      town: phrases(
        'crossed the street, took a cab, met the mayor, went to the theatre, rented a room, saw the shop windows, ' +
          'passed the bank, stood in the crowd, walked on the pavement, called a policeman, visited the museum, ' +
          'read the newspaper at the inn, bought gloves, lived next to the station, heard the church bells, paid the hotel',
      ),
    },
  },
  {
    name: 'person',
    question: 'Who?',
    clues: {
      king: phrases(
        'wore a crown, sat on the throne, ruled the land, had a palace, signed the law, sent for the ministers, ' +
          'gave a royal feast, owned ten castles, made him a knight, spoke to the court, received the ambassador, ' +
          'commanded the lords, was born a prince, had many subjects, held the sceptre, pardoned the prisoner',
      ),
      child: phrases(
        'played with a doll, went to the nursery, learned the letters, held the hand of mother, sucked a thumb, ' +
          'was four years old, asked for a story, was sent to bed early, lost a tooth, cried for milk, ran after a ball, ' +
          'hid from the nurse, wore little shoes, rode a toy horse, was sung to sleep, could hardly walk yet',
      ),
      soldier: phrases(
        'marched all day, fired a gun, drew a sword, fought the enemy, guarded the fort, obeyed the general, ' +
          'wore a uniform, was wounded in battle, loaded the cannon, joined the regiment, beat the drum of war, ' +
          'stormed the wall, saluted the captain, camped with the army, carried a rifle, charged with the cavalry',
      ),
    },
  },
  {
    name: 'fortune',
    question: 'Rich or poor?',
    clues: {
      rich: phrases(
        'owned a great house, kept ten servants, wore fine silk, had much gold, rode in a carriage, bought jewels, ' +
          'lent money to lords, had a large income, drank the best wine, owned the mill, gave splendid parties, ' +
          'inherited a fortune, wore a diamond ring, bought the estate, had a full purse, collected paintings',
      ),
      poor: phrases(
        'begged for bread, wore rags, had no shoes, lived in a hut, could not pay the rent, slept in a barn, owed money, ' +
          'went hungry, had an empty purse, sold the last cow, ate dry crusts, had no coat, lived on charity, ' +
          'pawned the watch, shivered without fire, had not a penny',
      ),
    },
  },
];
