-- One rate limit over all processes and hosts for one engine and its models, on Redis's own clock.
--
-- A limit has a scope: the engine with all that it serves, or one model of it. A request is let
-- through when both scopes say yes to all of these, and then both are charged in the same step:
--   hold      a state that has just begun waits, until holders of calls have said that they live
--   pause     nobody asks while the provider wants to be left alone, or is in trouble
--   probe     after trouble one call goes out; the others wait for what comes of it
--   turn      whoever waits longest goes first
--   in_flight one lease per call; a lease that is not renewed runs out, with its killed worker
--   requests, tokens   each both
--     a window: what any stretch of window_us + spread_us may hold, exactly as a strict provider
--       counts it (a correction counts at the moment of the request, not of the correction), and
--     a pace: a bucket of BURST of the rate, for providers also enforce over shorter stretches.
-- The window alone would let a minute's worth out at once; the pace alone would have to give up
-- its burst, the corrections under way and the largest request as a margin below the limit.
--
-- Which scope learns what:
--   Counts, pace, leases, line and breaker are each scope's own: every limit is enforced by itself.
--   What headers say and what refusals teach (the way of counting, the cut, the pause) is the
--     model's. Providers limit each model by itself, and behind a gateway each may be another
--     provider's. What is learnt too narrowly costs one refusal per model; learnt too widely, it
--     would stop or slow models that are well. The engine's limits are only those that are stated.
--   A model with no limit of its own has the engine's, so that there is something to cut and fill.
--   Trouble is the model's, until a second model is in trouble with no good answer in between, or
--     the caller says that the engine could not be reached: then it is the engine's.
--
-- The breaker is decided here, not by each process: what tells a sick scope from a bad prompt are
-- the last calls of all processes, and a pause that all keep has to be counted once.
--
-- The model is asked first: what its own limit holds up does not stand in the engine's line.
--
-- KEYS: shut (hash: model, or '' for the engine: why), then of the engine and then of the model:
-- state (hash), leases (zset: expiry), line (zset: since when), promises (zset: back by).
-- Without a model the engine alone is meant.
-- ARGV[1]: JSON with `op` and its parameters. All times in microseconds.

local a = cjson.decode(ARGV[1])
local SHUT = KEYS[1]
local SLOTS = 400              -- of a window: it is exact to 0.25 %, to the safe side
local BURST = 1.5 / 60         -- of a window: 1.5 s of a minute
local CUT, LEAST, CREEP = 0.8, 0.1, 0.12 -- a cut of the factor; its floor; regained per window
local FULL = 0.9               -- share of a limit above which it explains a refusal
local SLACK = 0.05             -- of a limit: what headers may differ by calls under way
local RECENT, SICK = 20, 0.2   -- calls looked at, and the share of failures above which a scope
                               -- is the one to blame, and not the prompts
local PATIENCE, FEW = 0.18, 3  -- share of how long trouble has lasted, and first pauses, until it
                               -- is tried again
local RECHECK, GRACE = 1000000, 1000000
local UNLEARN = 3600 * 1000000 -- how long a way of counting is believed
local FORGET_MS = 86400 * 1000
local TINY = 0.000001
local USED, RESERVED = 0, 2    -- ways of counting, see `charge`; 1 is reserved, then corrected
local KINDS = {'r', 't'}       -- requests, tokens
local NAMES = {'born', 'slot_us', 'first', 'newest', 'at', 'pace_r', 'pace_t', 'used_r', 'used_t',
    'wakes', 'pause_until', 'since', 'shut_at', 'steps', 'failed', 'seen',
    'factor', 'cut_at', 'streak', 'counting', 'counting_at', 'told_r', 'told_t', -- of a model
    'well_at', 'ill'}                                                           -- of the engine

local function scope(at, name, stated)
    return {STATE = KEYS[at], LEASES = KEYS[at + 1], LINE = KEYS[at + 2], PROMISES = KEYS[at + 3],
        name = name, stated = stated, limit = {}, allowed = {}, rate = {}, burst = {}}
end

local ENGINE = scope(2, '', a.engine)
local MODEL = a.model and scope(6, a.name, a.model)
local SCOPES = MODEL and {MODEL, ENGINE} or {ENGINE}
local me = a.waiter and a.waiter .. ' ' .. MODEL.STATE

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local slot_us = a.window_us / SLOTS
local kept_us = a.window_us + a.spread_us
local this = math.floor(now / slot_us)

local function field(kind, i) return kind .. ':' .. string.format('%.0f', i) end

local function slot(c, kind, i)
    return tonumber(redis.call('HGET', c.STATE, field(kind, i)) or 0)
end

local function put(c, kind, i, amount)
    redis.call('HINCRBYFLOAT', c.STATE, field(kind, i), amount)
    c['used_' .. kind] = c['used_' .. kind] + amount
    c.newest = math.max(c.newest, i)
end

local function load(c)
    for i, value in ipairs(redis.call('HMGET', c.STATE, unpack(NAMES))) do
        c[NAMES[i]] = tonumber(value or 0)
    end
end

local function save(c)
    local pairs_ = {}
    for _, name in ipairs(NAMES) do
        pairs_[#pairs_ + 1] = name
        pairs_[#pairs_ + 1] = c[name]
    end
    redis.call('HSET', c.STATE, unpack(pairs_))
end

local function lower(one, other)
    return (one == 0 or other > 0 and other < one) and other or one
end

-- What a scope may in a window, by what is known; 0 is no limit.
local function set_limits(c)
    local engine = {r = ENGINE.stated.rpm or 0, t = ENGINE.stated.tpm or 0}
    local own = {r = c.stated.rpm, t = c.stated.tpm}
    for _, kind in ipairs(KINDS) do
        c.limit[kind] = own[kind] or lower(c['told_' .. kind], engine[kind])
    end
end

-- Nothing is known of the last minute: it counts as full to the brim, burst included.
local function begin(c)
    redis.call('DEL', c.STATE)
    redis.call('HDEL', SHUT, c.name)
    for _, name in ipairs(NAMES) do c[name] = 0 end
    c.born, c.slot_us, c.at, c.factor, c.cut_at = now, slot_us, now, 1, now
    c.first, c.newest = this - SLOTS, this
    set_limits(c)
    for kind, most in pairs(c.limit) do
        for i = c.first, this - 1 do put(c, kind, i, most / SLOTS) end
        put(c, kind, this, most * BURST)
    end
end

local function advance(c)
    local gone = math.min(math.floor((now - kept_us) / slot_us) - 1, c.newest)
    for i = c.first, gone do
        for _, kind in ipairs(KINDS) do
            c['used_' .. kind] = math.max(0, c['used_' .. kind] - slot(c, kind, i))
            redis.call('HDEL', c.STATE, field(kind, i))
        end
    end
    c.first = math.max(c.first, gone + 1)
end

local function is_shut(c) return now < c.pause_until or c.steps > 0 end

-- The share of its limits that a scope may use now: it creeps back after a cut.
local function factor(c)
    return math.min(1, c.factor + CREEP * math.max(0, now - c.cut_at) / a.window_us)
end

local function refill(c)
    set_limits(c)
    for kind, most in pairs(c.limit) do
        c.allowed[kind] = math.max(1, most * factor(c))
        c.rate[kind] = c.allowed[kind] / a.window_us
        c.burst[kind] = math.max(1, c.allowed[kind] * BURST)
        local level = c['pace_' .. kind] + c.rate[kind] * math.max(0, now - c.at)
        c['pace_' .. kind] = math.min(c.burst[kind], level)
    end
    c.at = math.max(now, c.at)
    if now - c.counting_at > UNLEARN and c.counting > USED then
        c.counting, c.counting_at = c.counting - 1, now
    end
    if c.pause_until > 0 and not is_shut(c) then
        c.pause_until, c.since = 0, 0
        redis.call('HDEL', SHUT, c.name)
    end
end

-- Microseconds until an amount fits. More than the limit itself goes out when nothing else is in.
local function wait_for(c, kind, amount)
    if c.limit[kind] == 0 then return 0 end
    local allowed = c.allowed[kind]
    local wait = (math.min(amount, c.burst[kind]) - c['pace_' .. kind]) / c.rate[kind]
    local over = c['used_' .. kind] + math.min(amount, allowed) - allowed
    local i = c.first
    while over > TINY and i <= c.newest do
        over = over - slot(c, kind, i)
        wait = math.max(wait, (i + 1) * slot_us + kept_us - now)
        i = i + 1
    end
    return wait > 1 and math.ceil(wait) or 0
end

-- What a call costs in tokens depends on how its provider counts, which only refusals teach:
-- what is used (0); prompt + max_tokens until the answer is out (1), or for good (2).
local function charge(likely, most) return MODEL.counting == USED and likely or most end

-- The provider says that its window holds more than ours does: so did every part of it.
local function raise(kind, target)
    local used = MODEL['used_' .. kind]
    if target <= used then return end
    if used < 1 then return put(MODEL, kind, this, target - used) end
    for i = MODEL.first, MODEL.newest do
        local amount = slot(MODEL, kind, i)
        if amount > 0 then put(MODEL, kind, i, amount * (target / used - 1)) end
    end
end

-- --- the line ------------------------------------------------------------------------------------

local function first_in_line(c)
    for _, waiter in ipairs(redis.call('ZRANGEBYSCORE', c.PROMISES, '-inf', now)) do
        redis.call('ZREM', c.LINE, waiter)
        redis.call('ZREM', c.PROMISES, waiter)
    end
    return redis.call('ZRANGE', c.LINE, 0, 0)[1]
end

-- A waiter is its process's channel and the state of the model that it asks for.
local function wake(c)
    local first = first_in_line(c)
    if first then redis.call('PUBLISH', first:match('^%S+'), first:match(' (.*)$')) end
end

-- Whoever is next in line then has its turn.
local function leave(c, waiter)
    redis.call('ZREM', c.PROMISES, waiter)
    if redis.call('ZREM', c.LINE, waiter) == 1 then wake(c) end
end

-- Who waits for the model alone leaves the engine's line to the other models.
local function stand_in_line(by, reason, wait)
    local back = now + math.min(wait, a.sleep_us) + GRACE
    for _, c in ipairs(SCOPES) do
        if c == MODEL or by == ENGINE then
            redis.call('ZADD', c.LINE, 'NX', now, me)
            redis.call('ZADD', c.PROMISES, back, me)
        else
            leave(c, me)
        end
    end
    if reason ~= 'turn' then
        by.wakes = (reason == 'in_flight' or reason == 'tokens' or reason == 'probe') and 1 or 0
    end
    return {reason, math.ceil(wait / 1000)}
end

-- --- letting out ---------------------------------------------------------------------------------

-- Until when the call that tries whether trouble is over is out; nil when there is none.
local function probed_until(c)
    local probe = c.steps > 0 and redis.call('HGET', c.STATE, 'probe')
    local expiry = probe and tonumber(redis.call('ZSCORE', c.LEASES, probe) or 0) or 0
    return expiry > now and expiry or nil
end

-- The reason to wait and for how long; nil when the call may go out.
local function refusal(c, amount)
    if now < c.born + a.hold_us then return 'hold', c.born + a.hold_us - now end
    if now < c.pause_until then return 'pause', c.pause_until - now end
    local probed = probed_until(c)
    if probed then return 'probe', math.min(RECHECK, probed - now) end
    local first = first_in_line(c)
    if first and first ~= me then return 'turn', RECHECK end
    redis.call('ZREMRANGEBYSCORE', c.LEASES, '-inf', now)
    local most = c.stated.max_in_flight
    if most and redis.call('ZCARD', c.LEASES) >= most then
        local next_ = redis.call('ZRANGE', c.LEASES, 0, 0, 'WITHSCORES')[2]
        return 'in_flight', math.min(RECHECK, next_ - now)
    end
    local requests, tokens = wait_for(c, 'r', 1), wait_for(c, 't', amount)
    if tokens > 0 and tokens >= requests then return 'tokens', tokens end
    if requests > 0 then return 'requests', requests end
end

local function take(c, id, amount)
    put(c, 'r', this, 1)
    put(c, 't', this, amount)
    c.pace_r, c.pace_t = c.pace_r - 1, c.pace_t - amount
    redis.call('ZADD', c.LEASES, now + a.lease_us, id)
    if c.steps > 0 then redis.call('HSET', c.STATE, 'probe', id) end
end

local OPS = {}

-- As many of the wanted calls as may go out now, in their order; a turn takes all that there is, so
-- that handing turns on costs no rate. None: the reason, and for how long.
function OPS.acquire()
    local charged, by, reason, wait = {}, nil, nil, nil
    for _, call in ipairs(a.wanted) do
        local amount = charge(call.likely, call.most)
        if not redis.call('ZSCORE', MODEL.LEASES, call.id) then -- else: it is asked again
            for _, c in ipairs(SCOPES) do
                by, reason, wait = c, refusal(c, amount)
                if reason then break end
            end
            if reason then break end
            for _, c in ipairs(SCOPES) do take(c, call.id, amount) end
        end
        charged[#charged + 1] = amount
    end
    if #charged == 0 then return stand_in_line(by, reason, wait) end
    for _, c in ipairs(SCOPES) do leave(c, me) end
    return {'granted', this, now, unpack(charged)}
end

-- Nobody of this process waits for the model any more.
function OPS.leave()
    for _, c in ipairs(SCOPES) do leave(c, me) end
    return {}
end

-- A call that goes out later than it was let through counts from now on. Repeated, it counts more
-- for a while, never less.
function OPS.delay()
    for _, c in ipairs(SCOPES) do
        if a.granted_at > c.born and a.slot >= c.first then
            for kind, amount in pairs({r = 1, t = a.charged}) do
                put(c, kind, a.slot, -amount)
                put(c, kind, this, amount)
            end
        end
    end
    return {this, now}
end

-- A lease that is gone was given back meanwhile, unless Redis has lost its data since.
function OPS.renew()
    for _, c in ipairs(SCOPES) do
        for _, lease in ipairs(a.leases) do
            local mode = lease[2] <= c.born and 'CH' or 'XX'
            redis.call('ZADD', c.LEASES, mode, now + a.lease_us, lease[1])
        end
    end
    return {}
end

-- --- what became of it ---------------------------------------------------------------------------

-- Count a call as other than it was charged, at the moment at which it went out.
local function correct(c, kind, change)
    if a.granted_at <= c.born then return end -- it was charged to a state that is gone
    if a.slot >= c.first then put(c, kind, a.slot, change) end
    local level = 'pace_' .. kind
    c[level] = math.min(c.burst[kind], c[level] - change)
end

-- A limit that turns out to be of a day is none of the window's.
local function learn()
    for _, kind in ipairs(KINDS) do
        local said, left, told = a['limit_' .. kind], a['left_' .. kind], 'told_' .. kind
        if said and said > 0 then MODEL[told] = said end
        if a['daily_' .. kind] == MODEL[told] then MODEL[told] = 0 end
        local most = MODEL.limit[kind] > 0 and MODEL.limit[kind] or MODEL[told]
        if left and most > 0 then raise(kind, most * (1 - SLACK) - left) end
    end
end

-- The call is over; false when that was known, or Redis forgot it.
local function settle()
    local news = false
    for _, c in ipairs(SCOPES) do
        if redis.call('ZREM', c.LEASES, a.id) == 1 then
            news = true
            if a.unsent then
                correct(c, 'r', -1)
                correct(c, 't', -a.charged)
            elseif a.used then
                correct(c, 't', (MODEL.counting == RESERVED and a.reserved or a.used) - a.charged)
            end
        end
        if c.wakes == 1 then wake(c) end
    end
    learn()
    return news
end

-- Nobody of this scope asks until `wait` is over. The longest one holds, with its reason.
local function shut(c, why, wait)
    if not is_shut(c) then c.since = now end
    if now + wait > c.pause_until then
        c.pause_until = now + wait
        redis.call('HSET', SHUT, c.name, why)
    end
    local first = first_in_line(MODEL)
    if c == MODEL and first then leave(ENGINE, first) end
end

-- What the calls of a scope came to. Those that went out before it was shut say nothing new.
local function remember(c, failures)
    c.seen = math.min(RECENT, c.seen + 1)
    c.failed = (c.failed * 2 + failures) % 2 ^ RECENT -- a bit for each of the last ones
end

local function is_sick(c)
    local failures, rest = 0, c.failed
    while rest > 0 do
        failures = failures + rest % 2
        rest = math.floor(rest / 2)
    end
    return failures == c.seen or failures > SICK * c.seen
end

local function answered(c)
    if a.granted_at <= c.shut_at then return end
    if c.steps > 0 then
        c.steps, c.seen, c.failed = 0, 0, 0
        wake(c)
    end
    remember(c, 0)
end

-- A storm shuts a scope until a call of it is answered: each time for twice as long, but for no more
-- than a share of how long it has lasted, so that what comes back is soon at full speed.
local function break_(c, steps)
    local since = now
    for _, one in ipairs({c, MODEL}) do
        if is_shut(one) then since = math.min(since, one.since) end
    end
    local most = math.max(FEW * a.pause_us, PATIENCE * (now - since))
    shut(c, 'trouble', math.min(2 ^ (steps - 1) * a.pause_us, most, a.longest_pause_us))
    c.steps, c.shut_at = steps, now
end

local function fails(c)
    if a.granted_at <= c.shut_at then return false end
    remember(c, 1)
    if not is_sick(c) then return false end
    break_(c, c.steps + 1)
    return true
end

-- The provider answered, if only with a definite no: it is well.
function OPS.settle()
    if settle() and a.well then
        MODEL.streak, ENGINE.ill, ENGINE.well_at = 0, 0, now
        for _, c in ipairs(SCOPES) do answered(c) end
    end
    return {}
end

-- The share of a limit that is used, in the scope where it is highest.
local function fullness(kind)
    local share = 0
    for _, c in ipairs(SCOPES) do
        local most = c.limit[kind]
        if most > 0 then share = math.max(share, c['used_' .. kind] / most) end
    end
    return share
end

-- The refusals of one storm count once: those of calls that went out before the last cut do not.
function OPS.pause()
    if a.granted_at > MODEL.cut_at then
        local requests, limit = fullness('r'), MODEL.limit
        local teaches = a.over_limit and limit.t > 0 and MODEL.counting < RESERVED
            and requests < FULL
        if teaches then
            MODEL.counting, MODEL.counting_at = MODEL.counting + 1, now -- the count was at fault
        end
        local current = factor(MODEL)
        MODEL.factor, MODEL.cut_at = teaches and current or math.max(LEAST, current * CUT), now
        if a.over_limit then
            local kind = (teaches or requests <= fullness('t')) and limit.t > 0 and 't' or 'r'
            raise(kind, limit[kind])
        end
        MODEL.streak = MODEL.streak + 1
    end
    local wait = a.wait_us or math.min(1, 2 ^ (MODEL.streak - 1) / 60) * a.window_us
    shut(MODEL, a.wait_us and 'asked' or 'rate_limited', wait)
    settle()
    return {math.ceil((MODEL.pause_until - now) / 1000)}
end

-- No answer: an error of the server's, nothing in time, or no way to it (`whole`: to the engine).
function OPS.trouble()
    local before = MODEL.shut_at
    if settle() then
        if a.whole then
            fails(ENGINE)
        elseif fails(MODEL) then
            if before <= ENGINE.well_at then ENGINE.ill = ENGINE.ill + 1 end
            if ENGINE.ill > 1 and a.granted_at > ENGINE.shut_at then
                break_(ENGINE, math.max(ENGINE.steps + 1, MODEL.steps))
            end
        end
    end
    if a.wait_us then shut(a.whole and ENGINE or MODEL, 'asked', a.wait_us) end
    return {}
end

-- A person knows better: pauses and breaker of the model, or of the engine, end here and now.
function OPS.lift()
    local c = SCOPES[1]
    for _, name in ipairs({'pause_until', 'since', 'steps', 'streak', 'failed', 'seen', 'ill'}) do
        c[name] = 0
    end
    if c == ENGINE then ENGINE.well_at = now end
    redis.call('HDEL', SHUT, c.name)
    wake(c)
    return {}
end

for _, c in ipairs(SCOPES) do
    load(c)
    if c.born == 0 or c.slot_us ~= slot_us then begin(c) end
    advance(c)
    refill(c)
end
local answer = OPS[a.op]()
for _, c in ipairs(SCOPES) do save(c) end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, FORGET_MS) end
return answer
