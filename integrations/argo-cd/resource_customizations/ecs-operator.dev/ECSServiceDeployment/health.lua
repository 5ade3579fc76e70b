-- The state of a deployment in the words of ECS.
local progressing = {
  PENDING = true, IN_PROGRESS = true, STOP_REQUESTED = true, ROLLBACK_REQUESTED = true, ROLLBACK_IN_PROGRESS = true,
}
local state, reason = nil, ""
if obj.status ~= nil then
  state = obj.status.status
  reason = obj.status.statusReason or ""
end
if state == nil or progressing[state] then
  return { status = "Progressing", message = reason }
elseif state == "SUCCESSFUL" then
  return { status = "Healthy", message = reason }
elseif state == "STOPPED" then
  return { status = "Suspended", message = reason }
end
return { status = "Degraded", message = reason }
