-- What was read again takes the place of what was read before.
SELECT docmill_replace_documents(%(most)s) AS n
