SELECT model, script, mean, sd, cut FROM token_rates WHERE model = ANY (%(models)s)
