local os = require("os")
if obj.spec.kubernetes == nil then
  obj.spec.kubernetes = {}
end
obj.spec.kubernetes.forceNewDeployment = os.date("!%Y-%m-%dT%XZ")
return obj
