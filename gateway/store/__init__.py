"""PostgreSQL: connection, raw documents, events, migrations, the embedded server. Tables have one owner each."""
