-- One row a process that has ever used this store: its id goes into the ids of requests, so that no two processes make the same.
CREATE TABLE nodes (id INTEGER PRIMARY KEY AUTOINCREMENT, since_ms INTEGER NOT NULL);
