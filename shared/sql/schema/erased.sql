-- Persons that were erased. Who they were is not kept: `person` is a keyed hash of the customer's id, `emails` are keyed hashes
-- of e-mail addresses, separated by blanks. `gone_after` is when the last trace is due to be gone, `forgotten_at` when the
-- catalog had none any more, `gone_at` when the store had none. `lifted_at`: the person may come in again since.
CREATE TABLE teal.erased (
    person       VARCHAR NOT NULL,
    emails       VARCHAR NOT NULL,
    mode         VARCHAR NOT NULL, -- anonymise or delete
    upload_id    VARCHAR NOT NULL, -- of the command
    secret_check VARCHAR NOT NULL, -- a hash of nothing, by which another secret is noticed
    snapshot_id  BIGINT NOT NULL,  -- the first without the person
    erased_at    TIMESTAMPTZ NOT NULL,
    gone_after   TIMESTAMPTZ NOT NULL,
    searched_to  VARCHAR NOT NULL, -- the last inbox key that was looked at, "" when all were
    receipt      VARCHAR NOT NULL, -- JSON: what was changed where
    forgotten_at TIMESTAMPTZ,
    gone_at      TIMESTAMPTZ,
    lifted_at    TIMESTAMPTZ
)
