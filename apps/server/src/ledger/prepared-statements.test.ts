import SqliteDatabase from 'better-sqlite3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepingStatements } from './prepared-statements.ts';

let sqlite: SqliteDatabase.Database;

beforeEach(() => {
  sqlite = new SqliteDatabase(':memory:');
  sqlite.exec('create table numbers (n integer)');
});
afterEach(() => sqlite.close());

it('compiles a statement once, and again when others were used since', () => {
  const compile = vi.spyOn(sqlite, 'prepare');
  const { prepare } = keepingStatements(sqlite, 2);
  const texts = () => compile.mock.calls.map(([text]) => text);
  prepare('insert into numbers values (?)').run([1]);
  prepare('insert into numbers values (?)').run([2]);
  expect(prepare('select n from numbers order by n').all([])).toEqual([{ n: 1 }, { n: 2 }]);
  expect(texts()).toEqual(['insert into numbers values (?)', 'select n from numbers order by n']);
  prepare('insert into numbers values (?)').run([3]);
  prepare('delete from numbers where n = ?').run([1]);
  expect(texts()).toHaveLength(3);
  expect(prepare('select n from numbers order by n').all([])).toEqual([{ n: 2 }, { n: 3 }]);
  expect(texts()).toHaveLength(4);
});

it('goes on with a statement that failed, and after the tables have changed', () => {
  sqlite.exec('create unique index once on numbers (n)');
  const { prepare } = keepingStatements(sqlite);
  const insert = () => prepare('insert into numbers (n) values (?)').run([1]);
  insert();
  expect(insert).toThrow('UNIQUE');
  sqlite.exec('drop index once');
  insert();
  expect(prepare('select * from numbers').all([])).toEqual([{ n: 1 }, { n: 1 }]);
  sqlite.exec("alter table numbers add column name text default 'one'");
  expect(prepare('select * from numbers').all([])).toEqual([
    { n: 1, name: 'one' },
    { n: 1, name: 'one' },
  ]);
});

it('does not keep a statement as long as its list of values', () => {
  const compile = vi.spyOn(sqlite, 'prepare');
  const { prepare } = keepingStatements(sqlite);
  const values = Array.from({ length: 1000 }, (_, i) => i);
  const text = `select n from numbers where n in (${values.map(() => '?').join()})`;
  sqlite.exec('insert into numbers values (7), (1000)');
  compile.mockClear();
  for (let i = 0; i < 2; i++) expect(prepare(text).all(values)).toEqual([{ n: 7 }]);
  expect(compile).toHaveBeenCalledTimes(2);
});
