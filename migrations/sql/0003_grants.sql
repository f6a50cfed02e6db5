-- Who had rights on the ledger has them on its new table, and who writes to it may make its months.
DO $$
DECLARE
    right_ record;
BEGIN
    FOR right_ IN
        SELECT privilege_type AS what,
               CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS who
        FROM pg_class, aclexplode(relacl)
        WHERE oid = 'calls_before'::regclass AND grantee <> relowner
    LOOP
        EXECUTE format('GRANT %s ON calls TO %s', right_.what, right_.who);
        IF right_.what = 'UPDATE' AND to_regproc('docmill_make_months') IS NOT NULL THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION docmill_make_months() TO %s', right_.who);
        END IF;
    END LOOP;
END $$
