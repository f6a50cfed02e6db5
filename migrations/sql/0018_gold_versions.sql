-- Workers keep the examples of a gold set in memory for as long as it stays as it is: a row that goes, be it
-- by a purge of what it was copied from, is shown to nobody from then on.

CREATE FUNCTION docmill_gold_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO gold_versions AS v (name, version)
    SELECT DISTINCT name, 1 FROM changed ORDER BY name
    ON CONFLICT (name) DO UPDATE SET version = v.version + 1;
    RETURN NULL;
END $$;

CREATE TRIGGER gold_added AFTER INSERT ON gold REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_gold_changed();

CREATE TRIGGER gold_changed AFTER UPDATE ON gold REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_gold_changed();

CREATE TRIGGER gold_gone AFTER DELETE ON gold REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_gold_changed();

INSERT INTO gold_versions (name, version) SELECT DISTINCT name, 1 FROM gold;
