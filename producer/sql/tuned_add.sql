INSERT INTO tuned_models (place, base, base_digest, data_hash, adapter_hash, versions, eval_id,
                          scores, better)
VALUES (%(place)s, %(base)s, %(base_digest)s, %(data_hash)s, %(adapter_hash)s, %(versions)s,
        %(eval)s, %(scores)s, %(better)s)
RETURNING id
