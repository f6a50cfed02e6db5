SELECT traits FROM model_traits WHERE key = %(key)s
