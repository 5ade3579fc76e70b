-- Healthy when the object is Ready, Degraded when nothing happens until somebody acts, and Progressing otherwise: also
-- before the operator has looked at the object or at its latest change.
local health = { status = "Progressing", message = "waiting for the operator" }
if obj.metadata.deletionTimestamp ~= nil then
  health.message = "being deleted"
end
if obj.status == nil or obj.status.conditions == nil then
  return health
end
local observed = obj.status.observedGeneration
if observed ~= nil and obj.metadata.generation ~= nil and observed ~= obj.metadata.generation then
  return health
end
local ready, stalled = nil, nil
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Ready" then
    ready = condition
  elseif condition.type == "Stalled" and condition.status == "True" then
    stalled = condition
  end
end
if obj.metadata.deletionTimestamp ~= nil then
  if stalled ~= nil then
    health.message = stalled.message
  end
elseif stalled ~= nil then
  health = { status = "Degraded", message = stalled.message }
elseif ready ~= nil and ready.status == "True" then
  health = { status = "Healthy", message = ready.message }
elseif ready ~= nil then
  health.message = ready.message
end
return health
