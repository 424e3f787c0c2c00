/** Version 1 of the schema: docs/directory.md explains each table. Never edited after a release: the next number changes it. */

export const directorySchema = `
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta VALUES ('secret', randomblob(32));

CREATE TABLE domains (
  name    TEXT PRIMARY KEY CHECK (name <> ''),
  created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never given twice, not even the highest one after its user was removed.
CREATE TABLE users (
  id             INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 4294967295),
  local          TEXT NOT NULL CHECK (local <> ''),
  domain         TEXT NOT NULL REFERENCES domains (name),
  password       TEXT,
  scram          TEXT,
  quota_bytes    INTEGER NOT NULL DEFAULT 0 CHECK (quota_bytes BETWEEN 0 AND 9007199254740991),
  quota_messages INTEGER NOT NULL DEFAULT 0 CHECK (quota_messages BETWEEN 0 AND 9007199254740991),
  disabled       INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
  created        INTEGER NOT NULL,
  UNIQUE (domain, local)
) STRICT;

-- local is empty for the catch-all. target is local@domain, the domain after the last @.
CREATE TABLE aliases (
  domain   TEXT NOT NULL REFERENCES domains (name),
  local    TEXT NOT NULL,
  position INTEGER NOT NULL,
  target   TEXT NOT NULL,
  PRIMARY KEY (domain, local, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX aliases_by_target ON aliases (target);

CREATE TABLE changes (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  kind     TEXT NOT NULL,
  user_id  INTEGER NOT NULL,
  name     TEXT NOT NULL
) STRICT;

-- Triggers, so that a change made with SQLite's own shell is told as well.
CREATE TRIGGER user_added AFTER INSERT ON users BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('userAdded', NEW.id, NEW.local || '@' || NEW.domain);
END;
CREATE TRIGGER user_removed AFTER DELETE ON users BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('userRemoved', OLD.id, OLD.local || '@' || OLD.domain);
END;
CREATE TRIGGER user_changed AFTER UPDATE ON users
  WHEN NEW.local = OLD.local AND NEW.domain = OLD.domain BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('userChanged', NEW.id, NEW.local || '@' || NEW.domain);
END;
CREATE TRIGGER user_renamed AFTER UPDATE ON users
  WHEN NEW.local <> OLD.local OR NEW.domain <> OLD.domain BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('userRemoved', OLD.id, OLD.local || '@' || OLD.domain);
  INSERT INTO changes (kind, user_id, name) VALUES ('userAdded', NEW.id, NEW.local || '@' || NEW.domain);
END;
CREATE TRIGGER user_id_kept BEFORE UPDATE OF id ON users WHEN NEW.id <> OLD.id BEGIN
  SELECT RAISE(ABORT, 'a user id never changes');
END;
CREATE TRIGGER alias_added AFTER INSERT ON aliases BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('alias', 0, NEW.local || '@' || NEW.domain);
END;
CREATE TRIGGER alias_removed AFTER DELETE ON aliases BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('alias', 0, OLD.local || '@' || OLD.domain);
END;
CREATE TRIGGER alias_changed AFTER UPDATE ON aliases BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('alias', 0, OLD.local || '@' || OLD.domain);
  INSERT INTO changes (kind, user_id, name) VALUES ('alias', 0, NEW.local || '@' || NEW.domain);
END;
CREATE TRIGGER domain_added AFTER INSERT ON domains BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('domain', 0, NEW.name);
END;
CREATE TRIGGER domain_removed AFTER DELETE ON domains BEGIN
  INSERT INTO changes (kind, user_id, name) VALUES ('domain', 0, OLD.name);
END;
`;
