-- Forgets snapshots older than an instant, never the newest one; files that only they needed are scheduled.
CALL ducklake_expire_snapshots('lake', older_than => $older_than)
