-- One rate limit over all processes and hosts for one model of one engine, on Redis's own clock.
--
-- A request is let through when all of these say yes, and then all are charged in the same step:
--   hold      a state that has just begun waits, until holders of calls have said that they live
--   pause     nobody asks while the provider wants to be left alone
--   turn      whoever waits longest goes first
--   in_flight one lease per call; a lease that is not renewed runs out, with its killed worker
--   requests, tokens   each both
--     a window: what any stretch of window_us + spread_us may hold, exactly as a strict provider
--       counts it (a correction counts at the moment of the request, not of the correction), and
--     a pace: a bucket of BURST of the rate, for providers also enforce over shorter stretches.
-- The window alone would let a minute's worth out at once; the pace alone would have to give up
-- its burst, the corrections under way and the largest request as a margin below the limit.
--
-- KEYS: state (hash), leases (zset: expiry), line (zset: since when), promises (zset: back by)
-- ARGV[1]: JSON with `op` and its parameters. All times in microseconds.

local a = cjson.decode(ARGV[1])
local STATE, LEASES, LINE, PROMISES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local SLOTS = 400              -- of a window: it is exact to 0.25 %, to the safe side
local BURST = 1.5 / 60         -- of a window: 1.5 s of a minute
local CUT, LEAST, CREEP = 0.8, 0.1, 0.12 -- a cut of the factor; its floor; regained per window
local FULL = 0.9               -- share of a limit above which it explains a refusal
local SLACK = 0.05             -- of a limit: what headers may differ by calls under way
local RECHECK, GRACE = 1000000, 1000000
local UNLEARN = 3600 * 1000000 -- how long a way of counting is believed
local FORGET_MS = 86400 * 1000
local TINY = 0.000001
local USED, RESERVED = 0, 2    -- ways of counting, see `charge`; 1 is reserved, then corrected
local KINDS = {'r', 't'}       -- requests, tokens
local NAMES = {'born', 'slot_us', 'first', 'newest', 'at', 'pace_r', 'pace_t', 'used_r', 'used_t',
    'factor', 'cut_at', 'pause_until', 'streak', 'counting', 'counting_at', 'limit_r', 'limit_t',
    'wakes'}

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local slot_us = a.window_us / SLOTS
local kept_us = a.window_us + a.spread_us
local this = math.floor(now / slot_us)
local s, limit, allowed, rate, burst = {}, {}, {}, {}, {}

local function field(kind, i) return kind .. ':' .. string.format('%.0f', i) end

local function slot(kind, i) return tonumber(redis.call('HGET', STATE, field(kind, i)) or 0) end

local function put(kind, i, amount)
    redis.call('HINCRBYFLOAT', STATE, field(kind, i), amount)
    s['used_' .. kind] = s['used_' .. kind] + amount
    s.newest = math.max(s.newest, i)
end

local function load()
    for i, value in ipairs(redis.call('HMGET', STATE, unpack(NAMES))) do
        s[NAMES[i]] = tonumber(value or 0)
    end
end

local function save()
    local pairs_ = {}
    for _, name in ipairs(NAMES) do
        pairs_[#pairs_ + 1] = name
        pairs_[#pairs_ + 1] = s[name]
    end
    redis.call('HSET', STATE, unpack(pairs_))
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, FORGET_MS) end
end

-- Nothing is known of the last minute: it counts as full to the brim, burst included.
local function begin()
    redis.call('DEL', STATE)
    for _, name in ipairs(NAMES) do s[name] = 0 end
    s.born, s.slot_us, s.at, s.factor, s.cut_at = now, slot_us, now, 1, now
    s.first, s.newest = this - SLOTS, this
    for kind, most in pairs({r = a.rpm or 0, t = a.tpm or 0}) do
        for i = s.first, this - 1 do put(kind, i, most / SLOTS) end
        put(kind, this, most * BURST)
    end
end

local function advance()
    local gone = math.min(math.floor((now - kept_us) / slot_us) - 1, s.newest)
    for i = s.first, gone do
        for _, kind in ipairs(KINDS) do
            s['used_' .. kind] = math.max(0, s['used_' .. kind] - slot(kind, i))
            redis.call('HDEL', STATE, field(kind, i))
        end
    end
    s.first = math.max(s.first, gone + 1)
end

local function refill()
    local factor = math.min(1, s.factor + CREEP * math.max(0, now - s.cut_at) / a.window_us)
    for kind, most in pairs({r = a.rpm or s.limit_r, t = a.tpm or s.limit_t}) do
        limit[kind], allowed[kind] = most, math.max(1, most * factor)
        rate[kind] = allowed[kind] / a.window_us
        burst[kind] = math.max(1, allowed[kind] * BURST)
        local level = s['pace_' .. kind] + rate[kind] * math.max(0, now - s.at)
        s['pace_' .. kind] = math.min(burst[kind], level)
    end
    s.at = math.max(now, s.at)
    if now - s.counting_at > UNLEARN and s.counting > USED then
        s.counting, s.counting_at = s.counting - 1, now
    end
    return factor
end

-- Microseconds until an amount fits. More than the limit itself goes out when nothing else is in.
local function wait_for(kind, amount)
    if limit[kind] == 0 then return 0 end
    local wait = (math.min(amount, burst[kind]) - s['pace_' .. kind]) / rate[kind]
    local over = s['used_' .. kind] + math.min(amount, allowed[kind]) - allowed[kind]
    local i = s.first
    while over > TINY and i <= s.newest do
        over = over - slot(kind, i)
        wait = math.max(wait, (i + 1) * slot_us + kept_us - now)
        i = i + 1
    end
    return wait > 1 and math.ceil(wait) or 0
end

-- What a call costs in tokens depends on how its provider counts, which only refusals teach:
-- what is used (0); prompt + max_tokens until the answer is out (1), or for good (2).
local function charge(likely, most) return s.counting == USED and likely or most end

-- The provider says that its window holds more than ours does: so did every part of it.
local function raise(kind, target)
    local used = s['used_' .. kind]
    if target <= used then return end
    if used < 1 then return put(kind, this, target - used) end
    for i = s.first, s.newest do
        local amount = slot(kind, i)
        if amount > 0 then put(kind, i, amount * (target / used - 1)) end
    end
end

local function first_in_line()
    for _, waiter in ipairs(redis.call('ZRANGEBYSCORE', PROMISES, '-inf', now)) do
        redis.call('ZREM', LINE, waiter)
        redis.call('ZREM', PROMISES, waiter)
    end
    return redis.call('ZRANGE', LINE, 0, 0)[1]
end

local function wake()
    local waiter = first_in_line()
    if waiter then redis.call('PUBLISH', waiter, STATE) end
end

-- The reason to wait and for how long; nil when the call may go out.
local function refusal(amount)
    local first = first_in_line()
    if now < s.born + a.hold_us then return 'hold', s.born + a.hold_us - now end
    if now < s.pause_until then return 'pause', s.pause_until - now end
    if first and first ~= a.waiter then return 'turn', RECHECK end
    redis.call('ZREMRANGEBYSCORE', LEASES, '-inf', now)
    if a.max_in_flight and redis.call('ZCARD', LEASES) >= a.max_in_flight then
        local next_ = redis.call('ZRANGE', LEASES, 0, 0, 'WITHSCORES')[2]
        return 'in_flight', math.min(RECHECK, next_ - now)
    end
    local requests, tokens = wait_for('r', 1), wait_for('t', amount)
    if tokens > 0 and tokens >= requests then return 'tokens', tokens end
    if requests > 0 then return 'requests', requests end
end

local function take(id, amount)
    put('r', this, 1)
    put('t', this, amount)
    s.pace_r, s.pace_t = s.pace_r - 1, s.pace_t - amount
    redis.call('ZADD', LEASES, now + a.lease_us, id)
end

local function stand_in_line(reason, wait)
    redis.call('ZADD', LINE, 'NX', now, a.waiter)
    redis.call('ZADD', PROMISES, now + wait + GRACE, a.waiter)
    if reason ~= 'turn' then
        s.wakes = (reason == 'in_flight' or reason == 'tokens') and 1 or 0
    end
    return {reason, math.ceil(wait / 1000)}
end

local OPS = {}

-- As many of the wanted calls as may go out now, in their order; a turn takes all that there is, so
-- that handing turns on costs no rate. None: the reason, and for how long.
function OPS.acquire()
    local charged, reason, wait = {}, nil, nil
    for _, call in ipairs(a.wanted) do
        local amount = charge(call.likely, call.most)
        if not redis.call('ZSCORE', LEASES, call.id) then -- else: it is asked again
            reason, wait = refusal(amount)
            if reason then break end
            take(call.id, amount)
        end
        charged[#charged + 1] = amount
    end
    if #charged == 0 then return stand_in_line(reason, wait) end
    redis.call('ZREM', LINE, a.waiter)
    redis.call('ZREM', PROMISES, a.waiter)
    wake()
    return {'granted', this, now, unpack(charged)}
end

-- Count a call as other than it was charged, at the moment at which it went out.
local function correct(kind, change)
    if a.granted_at <= s.born then return end -- it was charged to a state that is gone
    if a.slot >= s.first then put(kind, a.slot, change) end
    local level = 'pace_' .. kind
    s[level] = math.min(burst[kind], s[level] - change)
end

local function learn()
    for _, kind in ipairs(KINDS) do
        local said, left = a['limit_' .. kind], a['left_' .. kind]
        if said and said > 0 then s['limit_' .. kind] = said end
        local most = limit[kind] > 0 and limit[kind] or s['limit_' .. kind]
        if left and most > 0 then raise(kind, most * (1 - SLACK) - left) end
    end
end

-- A call that goes out later than it was let through counts from now on. Repeated, it counts more
-- for a while, never less.
function OPS.delay()
    if a.granted_at <= s.born or a.slot < s.first then return {this, now} end
    for kind, amount in pairs({r = 1, t = a.charged}) do
        put(kind, a.slot, -amount)
        put(kind, this, amount)
    end
    return {this, now}
end

function OPS.settle()
    if redis.call('ZREM', LEASES, a.id) == 1 then -- else: it has been settled, or Redis forgot it
        if a.unsent then
            correct('r', -1)
            correct('t', -a.charged)
        elseif a.used then
            correct('t', (s.counting == RESERVED and a.reserved or a.used) - a.charged)
            s.streak = 0
        end
    end
    learn()
    if s.wakes == 1 then wake() end
    return {}
end

-- The refusals of one storm count once: those of calls that went out before the last cut do not.
function OPS.pause(factor)
    if a.granted_at > s.cut_at then
        local requests = limit.r > 0 and s.used_r / limit.r or 0
        local teaches = a.over_limit and limit.t > 0 and s.counting < RESERVED and requests < FULL
        if teaches then
            s.counting, s.counting_at = s.counting + 1, now -- no cut: the count was at fault
        end
        s.factor, s.cut_at = teaches and factor or math.max(LEAST, factor * CUT), now
        if a.over_limit then
            local kind = (limit.t == 0 or requests > s.used_t / limit.t) and 'r' or 't'
            raise(teaches and 't' or kind, limit[teaches and 't' or kind])
        end
        s.streak = s.streak + 1
    end
    local wait = a.wait_us or math.min(1, 2 ^ (s.streak - 1) / 60) * a.window_us
    s.pause_until = math.max(s.pause_until, now + wait)
    return {math.ceil((s.pause_until - now) / 1000)}
end

-- A lease that is gone was given back meanwhile, unless Redis has lost its data since.
function OPS.renew()
    for _, lease in ipairs(a.leases) do
        local mode = lease[2] <= s.born and 'CH' or 'XX'
        redis.call('ZADD', LEASES, mode, now + a.lease_us, lease[1])
    end
    return {}
end

load()
if s.born == 0 or s.slot_us ~= slot_us then begin() end
advance()
local answer = OPS[a.op](refill())
save()
return answer
